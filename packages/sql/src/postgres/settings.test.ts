import type { Change } from 'latchkey'
import { testStore } from 'latchkey/testing'
import pg, { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  alterHostile,
  configureHostile,
  DECOYS,
  HOSTILE,
  HOSTILE_OPTIONS,
  makeDecoys,
  setHostile,
} from '../../test/hostile-settings.js'
import { canStartPostgres, emptySchema, newSchema, query, startPostgres } from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { type PostgresOptions, type PostgresStore, postgres } from './postgres.js'

interface Level {
  readonly name: string
  /** Opens a store whose sessions have the settings. */
  open(options: PostgresOptions): PostgresStore
  /** Before the first of its tests; what it returns runs after the last. */
  set?(): Promise<() => Promise<void>>
}

if (canStartPostgres('settings of PostgreSQL')) {
  const server = await startPostgres()
  const addressOf = (database: string, user = 'postgres') => {
    const address = new URL(server.url)
    address.pathname = `/${database}`
    address.username = user
    return address
  }
  const databases = ['plain', 'set_for_database', 'set_for_role']
  for (const name of databases) {
    await query(server.url, `CREATE DATABASE ${name}`)
    await makeDecoys(addressOf(name).href)
  }
  await alterHostile(server.url, 'DATABASE set_for_database')
  await query(server.url, 'CREATE ROLE hostile SUPERUSER LOGIN')
  await alterHostile(server.url, 'ROLE hostile')

  /** Parsers that no value comes out of as it is: an app may have set them for the driver or for its pool. */
  const foreignTypes = { getTypeParser: () => () => 'of the app' }
  /** Texts with a backslash: `standard_conforming_strings` decides what that means in a literal. */
  const ambiguous: string[] = []
  const poolOf = (url: URL, prepare: (client: pg.PoolClient) => void) => {
    const pool = new Pool({ connectionString: url.href, max: 6, types: foreignTypes })
    pool.on('connect', (client) => {
      prepare(client)
      const query = client.query.bind(client) as (config: { readonly text: string }) => unknown
      const recorded = (config: { readonly text: string }) => {
        if (config.text.includes('\\')) ambiguous.push(config.text)
        return query(config)
      }
      Object.assign(client, { query: recorded })
    })
    return pool
  }
  const onPool = (pool: Pool, options: PostgresOptions): PostgresStore => {
    const store = postgres(pool, options)
    let isEnded = false
    return Object.assign(Object.create(store), {
      async close() {
        await store.close()
        if (!isEnded) await pool.end()
        isEnded = true
      },
    })
  }
  const withOptions = () => {
    const address = addressOf('plain')
    address.searchParams.set('options', HOSTILE_OPTIONS)
    return address
  }

  const levels: readonly Level[] = [
    {
      name: 'server',
      open: (options) => postgres(addressOf('plain').href, options),
      set: () => configureHostile(server),
    },
    { name: 'database', open: (options) => postgres(addressOf('set_for_database').href, options) },
    { name: 'role', open: (options) => postgres(addressOf('set_for_role', 'hostile').href, options) },
    { name: 'address', open: (options) => postgres(withOptions().href, options) },
    {
      name: 'pool of the app',
      open: (options) => onPool(poolOf(addressOf('plain'), setHostile), options),
    },
    {
      name: 'pool of the app, with transactionPooler',
      open: (options) =>
        onPool(poolOf(addressOf('plain'), setHostile), { ...options, transactionPooler: true }),
    },
  ]
  const restricted = async (name: string, setting: string) => {
    await query(server.url, `CREATE ROLE ${name} LOGIN; ALTER ROLE ${name} SET ${setting}`)
    return addressOf('plain', name).href
  }
  const databaseOf = (store: PostgresStore) => ({ url: addressOf(store.path.split('/').at(-1) ?? '').href })

  const INT8 = 20
  beforeAll(() => pg.types.setTypeParser(INT8, () => 'of the app'))
  afterAll(() => pg.types.setTypeParser(INT8, String))

  for (const { name, open, set } of levels) {
    describe(`hostile settings of the ${name}`, () => {
      let reset = async () => {}
      const schema = newSchema(server)
      beforeAll(async () => {
        reset = (await set?.()) ?? reset
        const store = open({ schema })
        await store.migrate()
        await store.close()
      })
      afterAll(() => reset())

      const empty = async () => {
        const store = open({ schema })
        await emptySchema(databaseOf(store), schema)
        return store
      }

      testStore(`postgres, ${name},`, empty, { describe, it })

      it('no statement has a backslash', () => expect(ambiguous).toEqual([]))

      it('another node hears what each change narrowed, at once', async () => {
        const mine = await empty()
        const theirs = open({ schema, leaseSeconds: 600 })
        onTestFinished(async () => void (await Promise.all([mine.close(), theirs.close()])))
        await theirs.users.list()
        const heard: Change[] = []
        theirs.changes.subscribe((change) => heard.push(change))
        const user = await insertUser(mine)
        const token = await insertToken(mine, newToken(user.id, 1))
        const jwt = {
          jti: 'ünï',
          family: 'a',
          userId: user.id,
          issuedAt: new Date(0),
          expiresAt: new Date(9),
        }
        const rotation = { hint: '', sealed: null, previousEndsAt: new Date(9) }
        await mine.tokens.rotate(token.id, { expected: digestOf(1), digest: digestOf(2), ...rotation })
        await mine.tokens.delete(token.id)
        await mine.jwts.revoke(jwt, new Date(1))
        await mine.users.update(user.id, { isActive: false })
        const secret = (number: number): Change => ({
          kind: 'token',
          digest: new Uint8Array(digestOf(number)),
        })
        const last: Change = { kind: 'user', userId: user.id }
        // Without notifications they would be heard when the poller looks.
        if (name.includes('transactionPooler')) return
        await vi.waitFor(() => expect(heard).toContainEqual(last), { timeout: 20_000 })
        expect(heard).toEqual([secret(1), secret(2), secret(1), { kind: 'jwt', jti: 'ünï' }, last])
      })

      it('a lock is waited for as long as the option says', async () => {
        const store = await empty()
        const user = await insertUser(store)
        const { id } = await insertToken(store, newToken(user.id, 1))
        const { url } = databaseOf(store)
        const client = new pg.Client(url)
        await client.connect()
        await client.query('SET idle_in_transaction_session_timeout = 0')
        await client.query(`BEGIN; SELECT FROM ${schema}.tokens FOR UPDATE`)
        const deleting = store.tokens.delete(id)
        const isLong = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'
          AND now() - query_start > interval '1200 milliseconds'`
        await expect.poll(() => query(server.url, isLong), { timeout: 20_000 }).toHaveLength(1)
        await client.query('ROLLBACK')
        expect(await deleting).toBe(true)
        await client.end()
        await store.close()
      })

      it('the table of tokens can have partitions, and again other ones', async () => {
        const own = newSchema({ url: databaseOf(open({})).url })
        const store = open({ schema: own })
        const user = await insertUser(store)
        const { id } = await insertToken(store, newToken(user.id, 1))
        for (const partitions of [3, 2]) {
          await store.partitionTokens({ partitions })
          expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ token: { id }, user })
        }
        expect(await store.tokens.delete(id)).toBe(true)
        await store.close()
      })
    })
  }

  describe('a setting that makes service impossible is named', () => {
    it('default_transaction_read_only: what only reads goes on', async () => {
      const schema = newSchema({ url: addressOf('plain').href })
      const writer = postgres(addressOf('plain').href, { schema })
      const user = await insertUser(writer)
      const reader = postgres(await restricted('reads_only', 'default_transaction_read_only = on'), {
        schema,
      })
      const grants = ['USAGE ON SCHEMA', 'ALL ON ALL TABLES IN SCHEMA', 'ALL ON ALL SEQUENCES IN SCHEMA']
      const texts = grants.map((what) => `GRANT ${what} ${schema} TO reads_only`)
      await query(addressOf('plain').href, texts.join(';'))
      expect(await reader.users.findById(user.id)).toEqual(user)
      const writes = [
        () => reader.users.update(user.id, { isActive: false }),
        () => reader.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 0),
        () => reader.jwts.revokeUser(user.id, new Date(1)),
      ]
      for (const write of writes) {
        await expect(write()).rejects.toMatchObject({
          code: 'store_unavailable',
          detail: expect.stringContaining('default_transaction_read_only'),
        })
      }
      await Promise.all([writer.close(), reader.close()])
    })

    it('session_replication_role, where the user may not change it: a revocation would not be told', async () => {
      const url = await restricted('replicates', 'session_replication_role = replica')
      const pool = new Pool({ connectionString: url, max: 2 })
      for (const database of [url, pool]) {
        const store = postgres(database, { schema: newSchema({ url }) })
        await expect(store.users.list()).rejects.toMatchObject({
          code: 'store_unavailable',
          detail: expect.stringContaining('session_replication_role'),
        })
        await store.close()
      }
      await pool.end()
    })
  })

  describe('a setting that is changed for the whole server under a running store', () => {
    it('does not reach its sessions', async () => {
      const { href: url } = addressOf('plain')
      const schema = newSchema({ url })
      const store = postgres(url, { schema, poolSize: 1 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      const reset = await configureHostile(server)
      await query(server.url, 'SELECT 1')
      expect(await store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 1.5)).toMatchObject({
        allowed: true,
      })
      const refused = await store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 1.5)
      expect(refused).toEqual({ allowed: false, waitSeconds: 1 })
      const rotation = { hint: '', sealed: null, previousEndsAt: new Date(9) }
      const rotated = { expected: digestOf(1), digest: digestOf(2), ...rotation }
      expect(await store.tokens.rotate(id, rotated)).toMatchObject({ digest: new Uint8Array(digestOf(2)) })
      expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ token: { id }, user })
      await store.close()
      await reset()
    })
  })

  describe('the sessions of an app', () => {
    it('keep the settings that the app gave them', async () => {
      const pool = new Pool({ connectionString: addressOf('plain').href, max: 2 })
      pool.on('connect', setHostile)
      const store = postgres(pool, { schema: newSchema({ url: addressOf('plain').href }) })
      await insertUser(store)
      await Promise.all([store.users.list(), store.users.list(), store.users.list()])
      for (const [name, value] of Object.entries(HOSTILE)) {
        const { rows } = await pool.query<Record<string, string>>(`SHOW ${name}`)
        expect(Object.values(rows[0] ?? {}).map((shown) => shown.replaceAll('"', ''))).toEqual([value])
      }
      await store.close()
      await pool.end()
    })

    it('cost one statement for one, where their settings do no harm', async () => {
      const pool = new Pool({ connectionString: addressOf('plain').href, max: 2 })
      const texts: string[] = []
      pool.on('connect', (client) => {
        const query = client.query.bind(client) as (config: { readonly text: string }) => unknown
        Object.assign(client, {
          query(config: { readonly text: string }) {
            texts.push(config.text)
            return query(config)
          },
        })
      })
      const store = postgres(pool, { schema: newSchema({ url: addressOf('plain').href }) })
      await insertUser(store)
      await store.users.list()
      texts.length = 0
      await store.users.list()
      expect(texts).toHaveLength(1)
      await store.close()
      await pool.end()
    })
  })

  describe('a trigger', () => {
    it('tells other nodes of what is done by hand, whatever the search path of the session is', async () => {
      const { href: url } = addressOf('plain')
      const schema = newSchema({ url })
      const store = postgres(url, { schema, leaseSeconds: 600 })
      const user = await insertUser(store)
      await store.partitionTokens({ partitions: 2 })
      await insertToken(store, newToken(user.id, 1))
      const heard = new Promise((resolve) => void store.changes.subscribe(resolve))
      await query(url, `SET search_path = ${DECOYS}, pg_catalog; DELETE FROM ${schema}.tokens`)
      expect(await heard).toEqual({ kind: 'token', digest: new Uint8Array(digestOf(1)) })
      await store.close()
    })

    it('has a search path of its own, as every function of the schema', async () => {
      const { href: url } = addressOf('plain')
      const schema = newSchema({ url })
      const store = postgres(url, { schema })
      await store.partitionTokens({ partitions: 2 })
      await store.close()
      const functions = await query<{ name: string; settings: string[] | null }>(
        url,
        'SELECT proname AS name, proconfig AS settings FROM pg_proc WHERE pronamespace = $1::regnamespace',
        [schema],
      )
      expect(functions.length).toBeGreaterThan(10)
      for (const { name, settings } of functions)
        expect([name, settings]).toEqual([name, ['search_path=pg_catalog, pg_temp']])
    })
  })
}
