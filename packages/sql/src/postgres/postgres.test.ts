import { createHash } from 'node:crypto'
import { testStore } from 'latchkey/testing'
import { Pool } from 'pg'
import { describe, expect, it, vi } from 'vitest'
import { emptySchema, findPostgres, newSchema, query } from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken, newUser } from '../../test/samples.js'
import { transactionPooler } from '../../test/transaction-pooler.js'
import { findToken } from './find-token.js'
import { type PostgresOptions, postgres } from './postgres.js'

const server = await findPostgres()

describe('postgres(url, options)', () => {
  it('refuses a wrong option with a TypeError that names it', () => {
    const wrong: ReadonlyArray<readonly [name: string, value: unknown]> = [
      ['poolSize', 0],
      ['poolSize', 1.5],
      ['connectTimeoutMs', 0],
      ['statementTimeoutMs', '5s'],
      ['leaseSeconds', 0],
      ['leaseSeconds', Number.NaN],
      ['schema', 'Robert"; DROP SCHEMA public'],
      ['schema', 'x'.repeat(51)],
      ['transactionPooler', 'yes'],
      ['externalUsers', 1],
      ['migrate', 'yes'],
      ['broadcast', {}],
      ['replica', 'mysql://other'],
      ['pollSize', 5],
    ]
    for (const [name, value] of wrong) {
      const options: PostgresOptions = { [name]: value }
      expect(() => postgres('postgres://db/app', options)).toThrow(TypeError)
      expect(() => postgres('postgres://db/app', options)).toThrow(name)
    }
  })

  it('refuses what is no address without repeating it, and a pool that is too small', () => {
    for (const url of ['', 'latchkey.db', 'mysql://app:hunter2@db/app', 'postgres://app:hunter2@[']) {
      expect(() => postgres(url)).toThrow(/^postgres\(url\): must be an address such as [^\n]*$/)
      expect(() => postgres(url)).not.toThrow(/hunter2/)
    }
    expect(() => postgres(new Pool({ max: 1 }))).toThrow(/2 connections or more/)
  })

  it('names the database without user and password', () => {
    expect(postgres('postgresql://app:hunter2@db.example:6543/tokens?sslmode=require').path).toBe(
      'postgres://db.example:6543/tokens',
    )
    expect(postgres(new Pool({ host: 'db', user: 'app', password: 'hunter2', database: 'x' })).path).toBe(
      'postgres://db:5432/x',
    )
  })
})

if (server !== null) {
  const schema = newSchema(server)
  const migrated = postgres(server.url, { schema })
  await migrated.migrate()
  await migrated.close()
  const empty = async (options: PostgresOptions = {}) => {
    await emptySchema(server, schema)
    return postgres(server.url, { schema, ...options })
  }

  testStore('postgres(url)', () => empty(), { describe, it })

  testStore(
    'postgres(pool of a transaction-mode pooler)',
    async () => {
      await emptySchema(server, schema)
      const pool = transactionPooler(server.url)
      const store = postgres(pool, { schema, transactionPooler: true })
      return {
        ...store,
        async close() {
          await store.close()
          if (!pool.ended) await pool.end()
          expect(pool.offences).toEqual([])
        },
      }
    },
    { describe, it },
  )

  describe('postgres(url)', () => {
    it('keeps everything in the database', async () => {
      const first = await empty()
      const user = await insertUser(first)
      const { sealed, ...token } = await insertToken(first, newToken(user.id, 1))
      await first.counters.hit('key', { maxCount: 1, periodSeconds: 10 }, 1000)
      await first.close()
      const second = postgres(server.url, { schema })
      expect(await second.tokens.findByDigest(digestOf(1))).toEqual({ token, user })
      const { allowed } = await second.counters.peek('key', { maxCount: 1, periodSeconds: 10 }, 1000)
      expect(allowed).toBe(false)
      await second.close()
    })

    it('finds a token or a session and its user with one statement, and catches up with none', async () => {
      const store = await empty()
      const user = await insertUser(store)
      await store.tokens.insertOrGet(newToken(user.id, 1))
      const dates = { createdAt: new Date(0), expiresAt: new Date(1) }
      await store.sessions.insert({ digest: digestOf(2), userId: user.id, passwordVersion: 0, ...dates })
      const before = store.statementCount
      await store.tokens.findByDigest(digestOf(1))
      expect(store.statementCount - before).toBe(1)
      await store.sessions.findByDigest(digestOf(2))
      expect(store.statementCount - before).toBe(2)
      store.changes.catchUp()
      expect(store.statementCount - before).toBe(2)
      await store.close()
    })

    it('answers the cold look-up from indexes alone, for either secret', async () => {
      const store = await empty()
      await query(
        server.url,
        `INSERT INTO ${schema}.users
           (username, email, password_hash, is_active, is_staff, is_superuser, date_joined)
         SELECT 'user' || n, '', '!', true, false, false, 0 FROM generate_series(1, 5000) AS n`,
      )
      await query(
        server.url,
        `INSERT INTO ${schema}.tokens (policy, user_id, digest, hint, name, scopes, created_at, previous_digest)
         SELECT 'personal', n, sha256(n::text::bytea), 'lk_…abcd', 'CI', '["a"]', 0,
           CASE WHEN n % 10 = 0 THEN sha256((-n)::text::bytea) END
         FROM generate_series(1, 5000) AS n`,
      )
      const find = findToken(schema, false)
      const explain = async (column: keyof typeof find, secret: string) => {
        const digest = createHash('sha256').update(secret).digest()
        const explained = await query<{ 'QUERY PLAN': readonly [{ Plan: PlanNode }] }>(
          server.url,
          `EXPLAIN (ANALYZE, FORMAT JSON) ${find[column].brief(digest).sql}`,
          [digest],
        )
        const nodes = explained.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan))
        return nodes.filter((node) => node['Actual Loops'] > 0 && node['Index Name'] !== undefined)
      }
      // Another test's transaction may keep a page from being marked as visible to all.
      await vi.waitFor(
        async () => {
          for (const table of ['tokens', 'users'])
            await query(server.url, `VACUUM ANALYZE ${schema}.${table}`)
          const onlyIndex = { 'Node Type': 'Index Only Scan', 'Heap Fetches': 0 }
          const current = { ...onlyIndex, 'Index Name': 'tokens_by_digest' }
          const previous = { ...onlyIndex, 'Index Name': 'tokens_by_previous_digest' }
          const user = { 'Node Type': 'Index Scan', 'Index Name': 'users_pkey' }
          expect(await explain('digest', '10')).toMatchObject([current, user])
          expect(await explain('previous_digest', '-10')).toMatchObject([previous, user])
        },
        { timeout: 30_000 },
      )
      await store.close()
    })

    it('keeps lists and names of any length, and finds the long ones with a second statement', async () => {
      const store = await empty()
      const user = await insertUser(store)
      const texts = (count: number) =>
        Array.from({ length: count }, (_, number) => `scope${number}`.repeat(10))
      for (const [number, fields] of [
        { scopes: texts(500), allowedAddresses: null, name: 'a\u001fb\u0000\u001a' },
        { scopes: null, allowedAddresses: texts(2), name: 'n'.repeat(10_000) },
        { scopes: [], allowedAddresses: texts(300), name: '\u001f' },
        { scopes: ['a\u001f'], allowedAddresses: [], name: '\u001f\u001f' },
      ].entries()) {
        const { sealed, ...token } = await insertToken(store, newToken(user.id, number, fields))
        expect(token).toMatchObject(fields)
        const before = store.statementCount
        expect(await store.tokens.findByDigest(digestOf(number))).toEqual({ token, user })
        expect(store.statementCount - before).toBe(number < 3 ? 2 : 1)
      }
      await store.close()
    })

    it('takes ids that no row can have for unknown ones', async () => {
      const store = await empty()
      for (const id of [0, -1, 1.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
        expect(await store.tokens.findById(id)).toBeNull()
        expect(await store.tokens.delete(id)).toBe(false)
        expect(await store.users.findById(id)).toBeNull()
        expect(await store.tokens.insertOrGet(newToken(id, 1))).toEqual({ kind: 'no_user' })
      }
      await store.close()
    })

    it('keeps its tables apart from those of the app, and two Latchkeys apart from each other', async () => {
      const [first, second] = [await empty(), postgres(server.url, { schema: newSchema(server) })]
      await first.users.insert(newUser('vitor'))
      expect(await second.users.list()).toEqual([])
      const heard: unknown[] = []
      second.changes.subscribe((change) => heard.push(change))
      await first.users.update(1, { isActive: false })
      second.changes.catchUp()
      expect(heard).toEqual([])
      await Promise.all([first.close(), second.close()])
    })

    it('leaves a pool that is given open, and takes its own connections out of it', async () => {
      const pool = new Pool({ connectionString: server.url, max: 3 })
      await emptySchema(server, schema)
      const store = postgres(pool, { schema })
      await Promise.all(
        Array.from({ length: 20 }, (_, number) => store.users.insert(newUser(`user${number}`))),
      )
      expect(await store.users.list()).toHaveLength(20)
      await store.close()
      expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
      await pool.end()
    })

    it('records the uses of many secrets at once, one of them twice', async () => {
      const store = await empty()
      const user = await insertUser(store)
      const { id: tokenId, digest } = await insertToken(store, newToken(user.id, 1))
      const use = { tokenId, digest, count: 2, lastUsedAt: new Date(20), lastUsedAddress: '::1' }
      await store.tokens.recordUses([
        use,
        { ...use, count: 3, lastUsedAt: new Date(10), lastUsedAddress: null },
      ])
      expect(await store.tokens.listUses([tokenId])).toEqual([{ ...use, count: 5 }])
      await store.close()
    })

    it('deletes very many expired sessions and JWTs, and waits for nobody', async () => {
      const store = await empty()
      const user = await insertUser(store)
      await query(
        server.url,
        `INSERT INTO ${schema}.sessions (digest, user_id, password_version, created_at, expires_at)
         SELECT sha256(n::text::bytea), $1, 0, 0, n FROM generate_series(1, 2500) AS n`,
        [user.id],
      )
      const locker = new Pool({ connectionString: server.url, max: 1 })
      const client = await locker.connect()
      await client.query('BEGIN')
      await client.query(`SELECT FROM ${schema}.sessions WHERE expires_at = 7 FOR UPDATE`)
      expect(await store.sessions.deleteExpired(new Date(2400))).toBe(2398)
      await client.query('ROLLBACK')
      client.release()
      await locker.end()
      expect(await store.sessions.deleteExpired(new Date(2400))).toBe(1)
      await store.close()
    })
  })

  describe('postgres(url, { externalUsers: true })', () => {
    it('keeps ids of the app as they are, and never joins its own users to them', async () => {
      const store = await empty({ externalUsers: true })
      await insertUser(store)
      const ids = [1, '1', '007', '3f2a-ünï', 2 ** 40, 'e\u0301', 'a\u0000b']
      for (const [number, userId] of ids.entries()) {
        const one = newToken(userId, number, { onePerUser: true })
        expect(await store.tokens.insertOrGet(one)).toMatchObject({ kind: 'created', token: { userId } })
        expect(await store.tokens.insertOrGet(one)).toMatchObject({ kind: 'existing', token: { userId } })
        const dates = { createdAt: new Date(0), expiresAt: new Date(1) }
        await store.sessions.insert({ digest: digestOf(number), userId, passwordVersion: 0, ...dates })
      }
      for (const [number, userId] of ids.entries()) {
        expect(await store.tokens.list({ userId })).toHaveLength(1)
        const found = { token: { userId }, user: null }
        expect(await store.tokens.findByDigest(digestOf(number))).toMatchObject(found)
        const session = { session: { userId, passwordVersion: 0 }, user: null }
        expect(await store.sessions.findByDigest(digestOf(number))).toMatchObject(session)
      }
      expect(await store.tokens.deleteMany({ userId: '1' })).toBe(1)
      expect(await store.tokens.list({ userId: 1 })).toHaveLength(1)
      await store.close()
    })
  })
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Heap Fetches'?: number
  readonly 'Actual Loops': number
  readonly Plans?: readonly PlanNode[]
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}
