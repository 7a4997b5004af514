import { describe, expect, it } from 'vitest'
import { UNDO_TO_0005 } from '../../test/earlier-schema.js'
import { insertToken, insertUser, newPath, newToken, newUser } from '../../test/samples.js'
import { Database } from './driver.js'
import { sqlite } from './sqlite.js'

const ALL = [
  '0001-initial',
  '0002-jwts',
  '0003-personal-tokens',
  '0004-signing-keys',
  '0005-counter-counts',
  '0006-sealing-keys',
  '0007-access-versions',
  '0008-login-addresses',
  '0009-trigger-settings',
]
const UNMIGRATED = { code: 'store_unavailable', detail: expect.stringContaining('run `latchkey migrate`') }

describe('migrations', () => {
  it('are applied before the first use', async () => {
    const store = sqlite(newPath())
    expect(await store.migrations()).toEqual(ALL.map((name) => ({ name, appliedAt: null })))
    await Promise.all([insertUser(store, 'a'), insertUser(store, 'b')])
    expect(await store.migrations()).toEqual(ALL.map((name) => ({ name, appliedAt: expect.any(Date) })))
    await store.close()
  })

  it('are applied once, however often they are run', async () => {
    const path = newPath()
    const store = sqlite(path)
    expect(await store.migrate()).toEqual(ALL)
    expect(await store.migrate()).toEqual([])
    await insertUser(store)
    await store.close()
    const again = sqlite(path)
    expect(await again.migrate()).toEqual([])
    expect(await again.users.list()).toHaveLength(1)
    await again.close()
  })

  it('of several stores in one process do not wait for each other in vain', async () => {
    const path = newPath()
    const stores = [sqlite(path), sqlite(path), sqlite(path)]
    const users = await Promise.all(stores.map((store, index) => store.users.insert(newUser(`user${index}`))))
    expect(users.filter(Boolean)).toHaveLength(3)
    await Promise.all(stores.map((store) => store.close()))
  })

  it('let methods that are called meanwhile wait', async () => {
    const store = sqlite(newPath(), { migrate: false })
    const [applied, user] = await Promise.all([store.migrate(), store.users.insert(newUser())])
    expect(applied).toEqual(ALL)
    expect(user?.username).toBe('vitor')
    await store.close()
  })

  it('are not applied by a server that must not: every use says what to run', async () => {
    const path = newPath()
    const store = sqlite(path, { migrate: false })
    await expect(store.users.list()).rejects.toMatchObject(UNMIGRATED)
    await expect(store.tokens.findByDigest(new Uint8Array(32))).rejects.toMatchObject(UNMIGRATED)
    await expect(store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 0)).rejects.toMatchObject({
      detail: `${path}: no such table: run \`latchkey migrate\``,
    })
    const other = sqlite(path)
    await other.migrate()
    expect(await store.users.list()).toEqual([])
    await Promise.all([store.close(), other.close()])
  })

  it('of a newer version are refused at the start', async () => {
    const path = newPath()
    const store = sqlite(path)
    await store.migrate()
    await store.close()
    const database = new Database(path)
    database.exec(`INSERT INTO latchkey_migrations VALUES ('0002-later', '2031-01-01T00:00:00.000Z')`)
    database.close()
    expect(() => sqlite(path)).toThrow(/newer than this version of @latchkey\/sql \(0002-later\): upgrade/)
    expect(() => sqlite(path, { migrate: false })).toThrow(
      expect.objectContaining({ code: 'store_unavailable' }),
    )
  })

  it('happen completely or not at all, and are tried again at the next use', async () => {
    const path = newPath()
    const database = new Database(path)
    database.exec('CREATE TABLE sessions (of TEXT, another TEXT, program TEXT)')
    const store = sqlite(path)
    await expect(store.users.list()).rejects.toMatchObject({
      code: 'store_unavailable',
      detail: expect.stringContaining('tables of another program'),
    })
    expect(database.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['sessions'])
    database.exec('DROP TABLE sessions')
    database.close()
    expect(await store.users.list()).toEqual([])
    await store.close()
  })

  it('say plainly when a table went missing under a running server', async () => {
    const path = newPath()
    const store = sqlite(path)
    await store.migrate()
    const database = new Database(path)
    database.exec('DROP TABLE tokens')
    database.close()
    await expect(store.tokens.list({})).rejects.toMatchObject(UNMIGRATED)
    await store.close()
  })

  it('refuse seals of format 1 from a version that was running meanwhile, and say what to do', async () => {
    const store = sqlite(newPath())
    const user = await insertUser(store)
    const seal = (format: number, length = 33) =>
      Uint8Array.from({ length }, (_, at) => (at === 0 ? format : 7))
    const refused = {
      code: 'store_unavailable',
      detail: expect.stringMatching(/newer than this version.*upgrade/),
    }
    const old = newToken(user.id, 1, { sealed: seal(1) })
    await expect(store.tokens.insertOrGet(old)).rejects.toMatchObject(refused)
    const { id } = await insertToken(store, newToken(user.id, 1, { sealed: seal(2) }))
    await expect(store.tokens.reseal(id, seal(2), seal(1))).rejects.toMatchObject(refused)
    expect(await store.tokens.reseal(id, seal(2), seal(2, 40))).toBe(true)
    await store.close()
  })

  it('register the keys of what is sealed already', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    const sealed = (id: string) => Buffer.concat([Buffer.of(2), Buffer.from(id, 'hex'), Buffer.alloc(30)])
    await insertToken(store, newToken(user.id, 1, { sealed: sealed('0a0b0c0d') }))
    await insertToken(store, newToken(user.id, 2, { sealed: sealed('0a0b0c0d') }))
    await insertToken(store, newToken(user.id, 3, { sealed: sealed('ff000001') }))
    await insertToken(store, newToken(user.id, 4))
    const database = new Database(path)
    database.exec(UNDO_TO_0005)
    database.close()
    await store.close()
    const again = sqlite(path)
    expect(await again.sealingKeys.list()).toEqual(['0a0b0c0d', 'ff000001'])
    await again.close()
  })
})
