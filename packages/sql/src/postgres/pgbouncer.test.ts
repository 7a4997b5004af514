import { testStore } from 'latchkey/testing'
import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { canStartPgbouncer, startPgbouncer } from '../../test/pgbouncer.js'
import { canStartPostgres, emptySchema, newSchema, query, startPostgres } from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { type PostgresOptions, postgres } from './postgres.js'

if (canStartPostgres('PgBouncer') && canStartPgbouncer()) {
  const server = await startPostgres({ max_connections: '200' })
  const session = await startPgbouncer(server, 'session')
  const transaction = await startPgbouncer(server, 'transaction')
  const schema = newSchema(server)
  const migrated = postgres(server.url, { schema })
  await migrated.migrate()
  await migrated.close()

  const refusalOf = async (url: string, options: PostgresOptions = {}) => {
    const store = postgres(url, { schema, ...options })
    const refusal = await store.users.list().catch((error) => error)
    await store.close()
    expect(refusal).toMatchObject({ code: 'store_unavailable' })
    return refusal.detail as string
  }
  const through = async (url: string, options: PostgresOptions) => {
    await emptySchema(server, schema)
    return postgres(url, { schema, ...options })
  }

  testStore('postgres(address of PgBouncer in session mode)', () => through(session, {}), { describe, it })
  testStore(
    'postgres(address of PgBouncer in transaction mode, { transactionPooler: true })',
    () => through(transaction, { transactionPooler: true }),
    { describe, it },
  )

  describe('PgBouncer in session mode', () => {
    it('passes notifications on: another node hears of a revocation long before it looks by itself', async () => {
      const store = await through(session, { leaseSeconds: 600 })
      const other = postgres(session, { schema, leaseSeconds: 600 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      await other.users.list()
      const heard = new Promise((resolve) => void other.changes.subscribe(resolve))
      await store.tokens.delete(id)
      expect(await heard).toEqual({ kind: 'token', digest: new Uint8Array(digestOf(1)) })
      await Promise.all([store.close(), other.close()])
    })

    it('bounds what a statement takes, though that is no start-up parameter', async () => {
      const store = await through(session, { statementTimeoutMs: 300 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      const pool = new Pool({ connectionString: server.url, max: 1 })
      const client = await pool.connect()
      await client.query(`BEGIN; SELECT FROM ${schema}.tokens FOR UPDATE`)
      await expect(store.tokens.delete(id)).rejects.toMatchObject({
        detail: expect.stringMatching(/took too long/),
      })
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`
      // Ended by the server too: nothing is left that deletes the token later.
      await expect.poll(() => query(server.url, waiting)).toEqual([])
      await client.query('ROLLBACK')
      client.release()
      await pool.end()
      expect(await store.tokens.list({})).toHaveLength(1)
      await store.close()
    })

    it('leaves no setting behind for the next client', async () => {
      const settings = async () => {
        const names = ['statement_timeout', 'search_path', 'default_transaction_isolation']
        const rows = await Promise.all(names.map((name) => query(session, `SHOW ${name}`)))
        return rows.flat()
      }
      const before = await settings()
      const store = await through(session, { statementTimeoutMs: 1234 })
      await Promise.all([store.users.list(), store.users.list(), store.users.list()])
      await store.close()
      expect(await settings()).toEqual(before)
    })

    it('names the start-up parameter of an address that it refuses, and its setting', async () => {
      for (const [parameter, value] of [
        ['options', '-c bytea_output=escape'],
        ['statement_timeout', '1000'],
        ['lock_timeout', '1000'],
      ] as const) {
        const address = new URL(session)
        address.searchParams.set(parameter, value)
        const detail = await refusalOf(address.href)
        expect(detail).toContain(`start-up parameter ${parameter}:`)
        expect(detail).toContain('ignore_startup_parameters')
      }
    })

    it('says so when it has too few connections to the server', async () => {
      const small = await startPgbouncer(server, 'session', { default_pool_size: 1 })
      expect(await refusalOf(small, { statementTimeoutMs: 300 })).toMatch(/no second connection/)
    })

    it('says what else it refuses', async () => {
      const full = await startPgbouncer(server, 'session', { max_client_conn: 1 })
      const store = postgres(full, { schema, poolSize: 2 })
      await expect(store.users.list()).rejects.toMatchObject({
        detail: expect.stringMatching(/max_client_conn/),
      })
      await store.close()
    })
  })

  describe('PgBouncer in transaction mode, without the option', () => {
    it('is refused by name, at once and each time', async () => {
      for (let round = 0; round < 5; round += 1) {
        expect(await refusalOf(transaction)).toMatch(/transactionPooler: true/)
      }
    })

    it('is refused however it chooses among its server processes', async () => {
      for (const settings of [
        { default_pool_size: 1 },
        { server_round_robin: 1, min_pool_size: 2 },
        { server_round_robin: 1, min_pool_size: 3 },
        { server_round_robin: 1, min_pool_size: 7 },
      ]) {
        const address = await startPgbouncer(server, 'transaction', settings)
        const clients = new Pool({ connectionString: address, max: 7 })
        await Promise.all(Array.from({ length: 7 }, () => clients.query('SELECT pg_sleep(0.05)')))
        expect(await refusalOf(address), JSON.stringify(settings)).toMatch(/transactionPooler: true/)
        await clients.end()
      }
    })

    it('is refused under the load of other clients, and as a pool of the app', async () => {
      const others = new Pool({ connectionString: transaction, max: 5 })
      let isOver = false
      const load = Array.from({ length: 5 }, async () => {
        while (!isOver) await others.query('SELECT 1')
      })
      for (let round = 0; round < 5; round += 1) {
        expect(await refusalOf(transaction)).toMatch(/transactionPooler: true/)
        const pool = new Pool({ connectionString: transaction, max: 2 })
        const store = postgres(pool, { schema })
        await expect(store.users.list()).rejects.toMatchObject({
          detail: expect.stringMatching(/transactionPooler: true/),
        })
        await store.close()
        await pool.end()
      }
      isOver = true
      await Promise.all(load)
      await others.end()
    })

    it('finds nothing set, prepared or listened to in its server processes afterwards', async () => {
      const address = await startPgbouncer(server, 'transaction', { default_pool_size: 1 })
      const state = async () => {
        const statements = await query(address, 'SELECT name FROM pg_prepared_statements')
        const channels = await query(address, 'SELECT pg_listening_channels()')
        const settings = await query(
          address,
          "SELECT name, setting FROM pg_settings WHERE source = 'session' AND name != 'application_name'",
        )
        return [...statements, ...channels, ...settings]
      }
      const before = await state()
      expect(await refusalOf(address)).toMatch(/transactionPooler: true/)
      expect(await state()).toEqual(before)
      const store = postgres(address, { schema, transactionPooler: true })
      await insertUser(store, 'of this test')
      await store.close()
      expect(await state()).toEqual(before)
    })
  })

  describe('PgBouncer in transaction mode, with the option', () => {
    it('another node hears of a revocation within the lease', async () => {
      const options = { transactionPooler: true, leaseSeconds: 1 }
      const store = await through(transaction, options)
      const other = postgres(transaction, { schema, ...options })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      await other.users.list()
      const heard = new Promise((resolve) => void other.changes.subscribe(resolve))
      const startedMs = performance.now()
      await store.tokens.delete(id)
      expect(await heard).toEqual({ kind: 'token', digest: new Uint8Array(digestOf(1)) })
      expect(performance.now() - startedMs).toBeLessThan(1000)
      await Promise.all([store.close(), other.close()])
    })

    it('uses one server process where there is one', async () => {
      const address = await startPgbouncer(server, 'transaction', { default_pool_size: 1 })
      const store = await through(address, { transactionPooler: true })
      const users = await Promise.all(
        Array.from({ length: 20 }, (_, index) => insertUser(store, `user${index}`)),
      )
      expect(new Set(users.map(({ id }) => id)).size).toBe(20)
      await store.close()
    })

    it('counts for session mode and for no pooler too', async () => {
      for (const address of [session, server.url]) {
        const store = await through(address, { transactionPooler: true })
        const user = await insertUser(store)
        expect(await store.users.list()).toEqual([user])
        await store.close()
      }
    })

    it('is refused in statement mode, which has no transactions', async () => {
      const address = await startPgbouncer(server, 'statement')
      const store = postgres(address, { schema, transactionPooler: true })
      await expect(
        store.tokens.rotate(1, {
          expected: digestOf(1),
          digest: digestOf(2),
          hint: '',
          sealed: null,
          previousEndsAt: new Date(9),
        }),
      ).rejects.toMatchObject({ code: 'store_unavailable', detail: expect.stringMatching(/transaction/) })
      await store.close()
    })
  })
}
