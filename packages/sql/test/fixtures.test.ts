/** Databases of earlier versions: after `migrate` every credential is accepted or refused as it was before. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Store } from 'latchkey'
import pg from 'pg'
import { describe, expect, onTestFinished, test } from 'vitest'
import { postgres, type SqliteStore, sqlite } from '../src/index.js'
import { MIGRATIONS } from '../src/migrations/index.js'
import { CHECKED_AT_MS, type Credential, ISSUED_AT_MS, openFixture, present } from './fixtures/fixture.mjs'
import { findPostgres } from './postgres-server.js'
import { newPath } from './samples.js'

type Engine = 'sqlite' | 'postgres'
type MigratingStore = Store & Pick<SqliteStore, 'migrate'>

const FIXTURES = fileURLToPath(new URL('fixtures', import.meta.url))
const LATCHKEY = fileURLToPath(new URL('../../server/bin/latchkey.js', import.meta.url))
/** One folder per schema version that was in use; the newest may be missing until a migration follows it. */
const SCHEMAS = readdirSync(FIXTURES).filter((name) => /^schema-\d{4}$/.test(name))
const server = await findPostgres()

/** Came together with 0009: no database was ever left at one of them. */
const NEVER_IN_USE = ['0006', '0007', '0008']

test('there is a fixture of each schema version before the newest, from 0005 on', () => {
  const released = Object.keys(MIGRATIONS).map((name) => name.slice(0, 4))
  const wanted = released.filter(
    (number, index) => number >= '0005' && index < released.length - 1 && !NEVER_IN_USE.includes(number),
  )
  expect(SCHEMAS).toEqual(expect.arrayContaining(wanted.map((number) => `schema-${number}`)))
})

describe.each(SCHEMAS)('%s', (schema) => {
  const file = (name: string) => join(FIXTURES, schema, name)
  const credentials = (engine: Engine): readonly Credential[] =>
    JSON.parse(readFileSync(file('credentials.json'), 'utf8'))[engine]

  function copyOfFile(): string {
    const path = newPath()
    copyFileSync(file('latchkey.db'), path)
    return path
  }

  /** The dump, in a database of its own that goes away with the test. */
  async function restoredDump(url: string): Promise<string> {
    const name = `latchkey_fixture_${randomBytes(6).toString('hex')}`
    await administer(url, `CREATE DATABASE ${name}`)
    onTestFinished(() => administer(url, `DROP DATABASE ${name} WITH (FORCE)`))
    const own = new URL(url)
    own.pathname = `/${name}`
    await administer(own.href, readFileSync(file('latchkey.sql'), 'utf8'))
    return own.href
  }

  async function expectAllAsBefore(store: MigratingStore, engine: Engine): Promise<void> {
    const latchkeys = openFixture(store, () => CHECKED_AT_MS)
    const answers: Array<{ readonly name: string; readonly user: string | null }> = []
    for (const credential of credentials(engine)) {
      answers.push({ name: credential.name, user: await present(latchkeys, credential) })
    }
    const expected = credentials(engine).map(({ name, username, accepted }) => ({
      name,
      user: accepted ? username : null,
    }))
    expect(answers).toEqual(expected)
    // The one event that the fixture counted, and this one.
    const limit = { maxCount: 2, periodSeconds: 60 }
    expect(await store.counters.hit('fixture', limit, CHECKED_AT_MS)).toMatchObject({ allowed: true })
    expect(await store.counters.hit('fixture', limit, CHECKED_AT_MS)).toMatchObject({ allowed: false })
  }

  test('holds credentials of all kinds, accepted and refused, on both engines', () => {
    for (const engine of ['sqlite', 'postgres'] as const) {
      const kinds = (accepted: boolean) =>
        new Set(credentials(engine).flatMap((one) => (one.accepted === accepted ? [one.kind] : [])))
      const all = ['token', 'session', 'password', 'hs256', 'stored']
      expect([...kinds(true)]).toEqual(expect.arrayContaining([...all, 'sealed']))
      expect([...kinds(false)]).toEqual(expect.arrayContaining(all))
    }
    expect(CHECKED_AT_MS).toBeGreaterThan(ISSUED_AT_MS)
  })

  test('SQLite: keeps every credential after a migration by the library', async () => {
    const store = sqlite(copyOfFile())
    onTestFinished(() => store.close())
    await store.migrate()
    await expectAllAsBefore(store, 'sqlite')
  })

  test('SQLite: keeps every credential after `latchkey migrate`', async () => {
    const path = copyOfFile()
    execFileSync(process.execPath, [LATCHKEY, 'migrate', '--database', path], { stdio: 'pipe' })
    const store = sqlite(path)
    onTestFinished(() => store.close())
    expect((await store.migrate()).length).toBe(0)
    await expectAllAsBefore(store, 'sqlite')
  })

  test.skipIf(server === null)('PostgreSQL: keeps every credential after a migration', async () => {
    const store = postgres(await restoredDump(server!.url))
    onTestFinished(() => store.close())
    await store.migrate()
    await expectAllAsBefore(store, 'postgres')
  })
})

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}
