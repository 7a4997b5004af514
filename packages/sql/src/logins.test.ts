/** What logins ask of the SQL stores beyond the store contract: users of an app, and look-ups by index. */
import { describe, expect, it } from 'vitest'
import { findPostgres, newSchema, query } from '../test/postgres-server.js'
import { digestOf, newPath, newUser } from '../test/samples.js'
import { HASH_COST_POSTGRES, HASH_COST_SQLITE } from './migrations/hash-cost.js'
import { postgres } from './postgres/postgres.js'
import { Database } from './sqlite/driver.js'
import { sqlite } from './sqlite/sqlite.js'

const server = await findPostgres()

const engines = [
  { name: 'sqlite', open: async (options: { externalUsers: boolean }) => sqlite(newPath(), options) },
  ...(server === null
    ? []
    : [
        {
          name: 'postgres',
          open: async (options: { externalUsers: boolean }) => {
            return postgres(server.url, { schema: newSchema(server), ...options })
          },
        },
      ]),
]

describe.each(engines)('addresses of logins on $name', ({ open }) => {
  it('belong to users of an app, whose ids are numbers or texts', async () => {
    const store = await open({ externalUsers: true })
    const now = new Date(0)
    const known = (number: number) => store.loginAddresses.isKnown([digestOf(number)], now)
    for (let number = 1; number <= 3; number += 1) {
      const expiresAt = new Date(number)
      await store.loginAddresses.note({ digest: digestOf(number), userId: 7, expiresAt }, 2)
      await store.loginAddresses.note({ digest: digestOf(10 + number), userId: '7', expiresAt }, 2)
    }
    expect(await Promise.all([1, 2, 3, 11, 12, 13].map(known))).toEqual([
      false,
      true,
      true,
      false,
      true,
      true,
    ])
    await store.close()
  })
})

describe('samples of stored hashes are found by index, however many users there are', () => {
  it('on SQLite', async () => {
    const path = newPath()
    const store = sqlite(path)
    await store.users.insert(newUser('vitor'))
    const before = store.statementCount
    for (let number = 0; number < 50; number += 1)
      await store.users.insert({
        ...newUser(`user${number}`),
        passwordHash: `pbkdf2_sha256$260000$salt${number}$x`,
      })
    expect(await store.users.samplePasswordHashes()).toHaveLength(1)
    // One look-up for each cost, and one that finds no more.
    expect(store.statementCount - before).toBe(52)
    await store.close()
    const database = new Database(path)
    const plan = database
      .prepare(
        `EXPLAIN QUERY PLAN SELECT password_hash FROM users WHERE ${HASH_COST_SQLITE} > '' ORDER BY ${HASH_COST_SQLITE} LIMIT 1`,
      )
      .all()
    expect(JSON.stringify(plan)).toContain('USING INDEX users_hash_cost')
    expect(JSON.stringify(plan)).not.toContain('TEMP B-TREE')
    database.close()
  })

  if (server !== null) {
    it('on PostgreSQL', async () => {
      const schema = newSchema(server)
      const store = postgres(server.url, { schema })
      await store.users.insert(newUser('vitor'))
      await query(
        server.url,
        `INSERT INTO "${schema}".users (username, email, password_hash, is_active, is_staff, is_superuser, date_joined)
         SELECT 'u' || n, '', 'pbkdf2_sha256$260000$s' || n || '$x', true, false, false, 0
         FROM generate_series(1, 5000) AS n`,
      )
      await query(server.url, `ANALYZE "${schema}".users`)
      expect(await store.users.samplePasswordHashes()).toHaveLength(1)
      const plan = await query(
        server.url,
        `EXPLAIN SELECT password_hash FROM "${schema}".users WHERE ${HASH_COST_POSTGRES} > ''
         ORDER BY ${HASH_COST_POSTGRES} LIMIT 1`,
      )
      expect(JSON.stringify(plan)).toContain('Index Scan using users_hash_cost')
      await store.close()
    })
  }
})
