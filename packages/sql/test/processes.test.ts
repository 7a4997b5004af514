import { chmodSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Change, createLatchkey, signingKey } from 'latchkey'
import { beforeAll, describe, expect, it } from 'vitest'
import { sqlite } from '../src/index.js'
import { Database } from '../src/sqlite/driver.js'
import { build, startChild } from './child.js'
import { digestOf, insertToken, insertUser, newPath, newToken } from './samples.js'

beforeAll(build)

/** Starts the children, lets them go at the same moment and returns the last line of each. */
async function race(
  script: string,
  argsOfEach: ReadonlyArray<readonly (string | number)[]>,
): Promise<unknown[]> {
  const children = argsOfEach.map((args) => startChild(script, args))
  for (const line of await Promise.all(children.map((child) => child.nextLine()))) expect(line).toBe('ready')
  for (const child of children) child.process.stdin.write('go\n')
  for (const code of await Promise.all(children.map((child) => child.ended))) expect(code).toBe(0)
  return children.map((child) => JSON.parse(child.lines.at(-1) ?? ''))
}

describe('several processes on one file', () => {
  it('refresh one JWT family: 8 parallel callers, 100 rounds, one successor each', async () => {
    const path = newPath()
    const store = sqlite(path)
    const { id } = await insertUser(store)
    const latchkey = createLatchkey({
      store,
      secret: 'a secret of at least thirty-two characters',
      jwt: {
        signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
      },
    })
    const user = await latchkey.users.get(id)
    if (user === null || latchkey.jwts === null) throw new Error('no user')
    let { refresh } = await latchkey.jwts.issuePair(user)
    const children = [startChild('refresh-jwt', [path]), startChild('refresh-jwt', [path])]
    for (const line of await Promise.all(children.map((child) => child.nextLine())))
      expect(line).toBe('ready')
    for (let round = 0; round < 100; round += 1) {
      const answers = children.map((child) => child.nextLine())
      for (const child of children) child.process.stdin.write(`${refresh}\n`)
      const successors = (await Promise.all(answers)).flatMap((line) => JSON.parse(line) as string[])
      expect(successors).toHaveLength(8)
      expect(new Set(successors).size).toBe(1)
      const [next = ''] = successors
      expect(next.split('.')).toHaveLength(3)
      expect(next).not.toBe(refresh)
      refresh = next
    }
    for (const child of children) child.process.stdin.write('end\n')
    for (const code of await Promise.all(children.map((child) => child.ended))) expect(code).toBe(0)
    await store.close()
  })

  it('see a revocation of another process at their next catchUp', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    store.changes.catchUp()
    expect(changes).toEqual([])
    const child = startChild('delete-token', [path, token.id])
    expect(await child.nextLine()).toBe('true')
    store.changes.catchUp()
    expect(changes).toEqual([{ kind: 'all' }])
    expect(await store.tokens.findByDigest(digestOf(1))).toBeNull()
    await store.close()
  })

  it('create one token for 2 x 50 parallel logins of one user', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    const outcomes = await race('insert-or-get', [
      [path, 0],
      [path, 1000],
    ])
    const [token, ...others] = await store.tokens.list({})
    expect(others).toEqual([])
    expect(outcomes).toHaveLength(2)
    expect(outcomes.reduce<number>((sum, outcome) => sum + (outcome as { created: number }).created, 0)).toBe(
      1,
    )
    for (const outcome of outcomes) expect(outcome).toMatchObject({ ids: [token?.id] })
    await store.close()
  })

  it('give 10 tokens to 2 x 50 parallel logins of a user who may have 10', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    const outcomes = await race('insert-limited', [
      [path, 0],
      [path, 1000],
    ])
    expect(outcomes.reduce<number>((sum, created) => sum + Number(created), 0)).toBe(10)
    expect(await store.tokens.list({})).toHaveLength(10)
    await store.close()
  })

  it('renew and revoke one token at the same time: it is gone, and nobody fails', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    const tokens = []
    for (let number = 0; number < 200; number += 1) {
      tokens.push(await insertToken(store, newToken(1, number, { expiresAt: new Date(5000) })))
    }
    const [renewed, deleted] = await race('renew-or-delete', [
      [path, 'renew'],
      [path, 'delete'],
    ])
    expect(deleted).toBe(200)
    expect(renewed).toBeLessThanOrEqual(200)
    expect(await store.tokens.list({})).toEqual([])
    await store.close()
  })

  it('never allow more than the limit of a throttle together', async () => {
    const path = newPath()
    await sqlite(path).migrate()
    const allowedMs = ((await race('hit', [[path], [path]])) as number[][]).flat()
    expect(allowedMs.length).toBeGreaterThan(5)
    for (const startMs of allowedMs) {
      expect(allowedMs.filter((ms) => ms >= startMs && ms < startMs + 1000).length).toBeLessThanOrEqual(5)
    }
  })

  it('may all open and migrate a new file at the same moment: one does it', async () => {
    for (let round = 0; round < 3; round += 1) {
      const path = newPath()
      const applied = await race('migrate', [[path], [path], [path]])
      expect(applied.filter((names) => (names as string[]).length > 0)).toEqual([
        ['0001-initial', '0002-jwts', '0003-personal-tokens', '0004-signing-keys'],
      ])
      const store = sqlite(path, { migrate: false })
      expect(await store.users.list()).toHaveLength(3)
      await store.close()
    }
  })

  it('wait for one that is still creating the file, though SQLite itself would give up at once', async () => {
    const path = newPath()
    const child = startChild('hold-lock', [path])
    expect(await child.nextLine()).toBe('ready')
    child.process.stdin.write('go\n')
    // Blocks this process, so the other one has to let go by itself.
    const store = sqlite(path)
    expect(await child.ended).toBe(0)
    await insertUser(store)
    await store.close()
  })

  it('end by themselves: an open store keeps no process alive', async () => {
    const child = startChild('end', [newPath()])
    expect(await child.ended).toBe(0)
    expect(child.lines).toEqual(['done'])
  })
})

describe('kill -9 during a load of writes', () => {
  for (const round of [1, 2, 3, 4, 5]) {
    it(`loses no acknowledged token and revives no revoked one, round ${round}`, async () => {
      const path = newPath()
      const before = sqlite(path)
      await insertUser(before)
      await before.close()

      const child = startChild('write-load', [path, 1])
      const enough = 20 + Math.floor(Math.random() * 200)
      while (child.lines.length < enough) await child.nextLine()
      child.process.kill('SIGKILL')
      expect(await child.ended).toBeNull()

      const store = sqlite(path)
      const ids = new Set((await store.tokens.list({})).map((token) => token.id))
      const idsOf = (sign: string) =>
        child.lines.filter((line) => line.startsWith(sign)).map((line) => Number(line.slice(2)))
      const revoked = new Set(idsOf('-'))
      const acknowledged = idsOf('+')
      const last = acknowledged.at(-1)
      // The last one may have been revoked without having been able to say so.
      const kept = acknowledged.filter((id) => !revoked.has(id) && id !== last)
      expect(kept.filter((id) => !ids.has(id))).toEqual([])
      expect([...revoked].filter((id) => ids.has(id))).toEqual([])
      expect(kept.length).toBeGreaterThan(5)
      await store.close()
      expect(new Database(path).pragma('integrity_check', { simple: true })).toBe('ok')
    })
  }
})

describe('the rights of the file', () => {
  // Root may write anything, so the child is nobody.
  const asNobody = process.getuid?.() === 0 ? { uid: 65534 } : {}

  async function outcomeFor(modeOfFile: number, modeOfDirectory: number): Promise<string> {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    await store.close()
    chmodSync(path, modeOfFile)
    chmodSync(dirname(path), modeOfDirectory)
    const child = startChild('open', [path], asNobody)
    await child.ended
    chmodSync(dirname(path), 0o700)
    return child.lines.join('\n')
  }

  it('are those of its owner only, for a new database and for its WAL', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it('suffice when file and directory are writable', async () => {
    expect(await outcomeFor(0o666, 0o777)).toBe('ok')
  })

  const NO_RIGHT = 'no right to read and write the file: check its owner and mode, and those of its directory'
  const READ_ONLY = 'the database is read-only: make the file and its directory writable'
  for (const [what, modeOfFile, modeOfDirectory, detail] of [
    ['a read-only file', 0o444, 0o777, NO_RIGHT],
    ['an unreadable file', 0o000, 0o777, NO_RIGHT],
    ['a read-only directory', 0o666, 0o555, READ_ONLY],
    ['an unreadable directory', 0o666, 0o000, NO_RIGHT],
  ] as const) {
    it(`refuse ${what} at the start, in one line that says what to do`, async () => {
      const [line, ...more] = (await outcomeFor(modeOfFile, modeOfDirectory)).split('\n')
      expect(line).toMatch(/^store_unavailable: /)
      expect(line).toContain(`latchkey.db: ${detail}`)
      expect(more).toEqual([])
    })
  }
})
