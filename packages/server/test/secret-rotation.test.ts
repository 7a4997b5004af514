/** What a rotation leaves behind: databases of an earlier version, searched byte by byte for what the old secret opens. */

import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type PostgresStore, postgres, type SqliteStore, sqlite } from '@latchkey/sql'
import { createLatchkey, Keyring, type TokenRecord } from 'latchkey'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { oldSeal, oldSigningKeyData } from '../../latchkey/test/old-seal.js'
import { Database } from '../../sql/src/sqlite/driver.js'
import { UNDO_TO_0005, undoTo0005 } from '../../sql/test/earlier-schema.js'
import { canStartPostgres, dumpSchema, query, startPostgres } from '../../sql/test/postgres-server.js'
import { cleanEnvironment, LATCHKEY } from './transcript.js'

const OLD = '5b0c3a7e9d1f48c26a7b90e4d2f1835c7e6a'
const COUNT = 200
const WINDOW = 8

let folder = ''
const secretFile = () => join(folder, '.latchkey', 'secret')

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'latchkey-rotation-')))
  mkdirSync(join(folder, '.latchkey'), { mode: 0o700 })
  writeFileSync(secretFile(), `${OLD}\n`, { mode: 0o600 })
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function latchkey(database: string, ...args: readonly string[]): string {
  const env = { ...cleanEnvironment(), LATCHKEY_DATABASE: database, LATCHKEY_SECRET_FILE: secretFile() }
  const { status, stdout, stderr } = spawnSync(process.execPath, [LATCHKEY, ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`latchkey ${args.join(' ')}: ${stdout}${stderr}`)
  return stdout + stderr
}

interface Filled {
  /** Secrets by the id of their owner. */
  readonly secrets: ReadonlyMap<number, string>
  /** Every sealed value that was ever written under the old secret. */
  readonly seals: readonly Uint8Array[]
  /** Seals of format 1 for the rows, as the earlier version would have written them. */
  readonly old: ReadonlyArray<readonly [table: 'tokens' | 'signing_keys', id: number | string, Uint8Array]>
}

/** Users with a token each, and a signing key. */
async function fill(store: SqliteStore | PostgresStore): Promise<Filled> {
  const service = createLatchkey({ store, secret: OLD, jwt: { keys: 'store' } })
  const secrets = new Map<number, string>()
  for (let number = 0; number < COUNT; number += 1) {
    const user = await service.users.create({ username: `user${number}` })
    secrets.set(Number(user.id), (await service.tokens.getOrCreate({ user })).secret.reveal())
  }
  await service.signingKeys.generate()
  const records: readonly TokenRecord[] = await store.tokens.list({})
  const keys = await store.keys.list()
  const keyring = new Keyring(OLD)
  const old = [
    ...records.map(({ id, userId, digest }) => {
      const seal = oldSeal(OLD, secrets.get(Number(userId)) ?? '', digest)
      return ['tokens', id, seal] as const
    }),
    ...keys.map(({ kid, algorithm, sealed }) => {
      const pem = keyring.open(sealed ?? new Uint8Array(), { kind: 'signing key', kid, algorithm })
      return ['signing_keys', kid, oldSeal(OLD, pem, oldSigningKeyData(kid))] as const
    }),
  ]
  const current = [...records, ...keys].flatMap(({ sealed }) => sealed ?? [])
  return { secrets, old, seals: [...current, ...old.map(([, , seal]) => seal)] }
}

/** Parts of old seals that are in some bytes: any 8 of their bytes in a row, nonce and ciphertext and tag. */
function found(bytes: Buffer, seals: readonly Uint8Array[]): number {
  const windows = new Set<string>()
  for (const seal of seals) {
    const text = Buffer.from(seal).toString('latin1', 5)
    for (let at = 0; at + WINDOW <= text.length; at += 1) windows.add(text.slice(at, at + WINDOW))
  }
  const text = bytes.toString('latin1')
  let count = 0
  for (let at = 0; at + WINDOW <= text.length; at += 1)
    if (windows.has(text.slice(at, at + WINDOW))) count += 1
  return count
}

async function expectAllOpen(
  store: SqliteStore | PostgresStore,
  { secrets }: Filled,
  gone: number,
): Promise<void> {
  const [newest = ''] = readFileSync(secretFile(), 'utf8').split('\n')
  expect(newest).toMatch(/^lks2_[0-9a-f]{64}$/)
  const service = createLatchkey({ store, secret: newest, jwt: { keys: 'store' } })
  for (const { userId, sealed, id } of await store.tokens.list({})) {
    expect(sealed?.[0]).toBe(2)
    expect((await service.tokens.reveal(id)).reveal()).toBe(secrets.get(Number(userId)))
  }
  expect(await service.tokens.list()).toHaveLength(COUNT - gone)
  await service.signingKeys.loaded.ready()
  expect(service.signingKeys.loaded.signing().kid).toBeTruthy()
  expect((await service.sealing.state()).missing).toEqual([])
  await store.close()
}

describe('after a rotation that drops the old secret', () => {
  it('nothing that it opens is in the files of an SQLite database of an earlier version', async () => {
    const path = join(folder, 'latchkey.sqlite3')
    const store = sqlite(path)
    const filled = await fill(store)
    await store.close()
    // As the earlier version left it: no register, format 1, and what it deletes stays in free pages.
    const earlier = new Database(path)
    earlier.exec(UNDO_TO_0005)
    for (const [table, id, seal] of filled.old) {
      earlier
        .prepare(`UPDATE ${table} SET sealed = ? WHERE ${table === 'tokens' ? 'id' : 'kid'} = ?`)
        .run(seal, id)
    }
    const { changes: gone } = earlier.prepare('DELETE FROM tokens WHERE id % 3 <> 0 AND id < 150').run()
    earlier.pragma('wal_checkpoint(TRUNCATE)')
    expect(found(readFileSync(path), filled.seals)).toBeGreaterThan(100)

    expect(latchkey(path, 'migrate')).toContain('Applied 0006-sealing-keys\n')
    expect(latchkey(path, 'secret', 'rotate')).toContain(
      `Sealed ${COUNT - gone} tokens and 1 signing key under the newest secret.`,
    )
    // A process that runs on keeps the WAL where it is.
    expect(earlier.prepare('SELECT count(*) FROM users').pluck().get()).toBe(COUNT)
    expect(latchkey(path, 'secret', 'rotate', '--no-new', '--drop-old')).toMatch(
      /Rewrote the database file: \d+ free pages? erased, WAL emptied\.\nRemoved 1 older secret\./,
    )
    const files = ['', '-wal', '-shm', '-journal']
      .map((suffix) => path + suffix)
      .filter((file) => existsSync(file))
    expect(files).toContain(`${path}-wal`)
    for (const file of files) expect([file, found(readFileSync(file), filled.seals)]).toEqual([file, 0])
    expect(earlier.pragma('freelist_count', { simple: true })).toBe(0)
    earlier.close()
    await expectAllOpen(sqlite(path), filled, gone)
  })

  it('nor what this version deletes and replaces, even without a rewrite', async () => {
    const path = join(folder, 'latchkey.sqlite3')
    const store = sqlite(path)
    const { seals } = await fill(store)
    const tokens = await store.tokens.list({})
    const written = seals.filter((seal) => seal[0] === 2)
    for (const { id, sealed } of tokens)
      if (sealed !== null && id % 2 === 0)
        await store.tokens.reseal(id, sealed, new Uint8Array(sealed.length))
    for (const { id } of tokens) if (id % 2 === 1) await store.tokens.delete(id)
    for (const { kid, sealed } of await store.keys.list())
      await store.keys.reseal(kid, sealed ?? new Uint8Array(), new Uint8Array(9))
    // The last connection empties the WAL.
    await store.close()
    expect(existsSync(`${path}-wal`)).toBe(false)
    expect(found(readFileSync(path), written)).toBe(0)
  })

  it.runIf(canStartPostgres('what a rotation leaves in PostgreSQL'))(
    'nothing that it opens is in a dump of PostgreSQL, nor in the files of its tables',
    async () => {
      const server = await startPostgres()
      const store = postgres(server.url)
      const filled = await fill(store)
      await store.close()
      const run = (sql: string, values: unknown[] = []) =>
        query<Record<string, string>>(server.url, sql, values)
      await run(undoTo0005('latchkey'))
      for (const [table, id, seal] of filled.old) {
        const key = table === 'tokens' ? 'id' : 'kid'
        await run(`UPDATE latchkey.${table} SET sealed = $1 WHERE ${key} = $2`, [seal, id])
      }
      const dumped = () =>
        Buffer.from(
          [...dumpSchema(server, 'latchkey').matchAll(/\\\\x([0-9a-f]+)/g)].map(([, hex]) => hex).join(''),
          'hex',
        )
      expect(found(dumped(), filled.seals)).toBeGreaterThan(100)

      expect(latchkey(server.url, 'migrate')).toContain('Applied 0006-sealing-keys\n')
      expect(latchkey(server.url, 'secret', 'rotate')).toContain(`Sealed ${COUNT} tokens and 1 signing key`)
      expect(latchkey(server.url, 'secret', 'rotate', '--no-new', '--drop-old')).toMatch(
        /PostgreSQL keeps replaced rows[^\n]*--vacuum-full[^\n]*\nRemoved 1 older secret\./,
      )
      expect(latchkey(server.url, 'secret', 'rotate', '--no-new', '--vacuum-full')).toContain(
        'Rewrote the tables',
      )
      expect(found(dumped(), filled.seals)).toBe(0)
      await run('CHECKPOINT')
      for (const table of ['tokens', 'signing_keys']) {
        const [row] = await run(`SELECT pg_relation_filepath('latchkey.${table}') AS path`)
        const file = join(server.folder ?? '', 'data', row?.path ?? '')
        expect([table, found(readFileSync(file), filled.seals)]).toEqual([table, 0])
      }
      await expectAllOpen(postgres(server.url), filled, 0)
    },
  )
})
