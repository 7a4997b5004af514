import type { Broadcast, Change, Store } from 'latchkey'
import { fixedClock } from 'latchkey/testing'
import { Client } from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  canStartPostgres,
  findPostgres,
  newSchema,
  query,
  startPostgres,
  startServer,
  stopServer,
} from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { startTcpProxy } from '../../test/tcp-proxy.js'
import { type PostgresOptions, postgres, storeOn } from './postgres.js'

const server = await findPostgres()
const secret = (number: number): Change => ({ kind: 'token', digest: new Uint8Array(digestOf(number)) })
/** So long that nothing is heard because of the interval. */
const LONG = { leaseSeconds: 600 }

/** What a store tells from now on. */
function listen(store: Store) {
  const changes: Change[] = []
  let wake = () => {}
  store.changes.subscribe((change) => {
    changes.push(change)
    wake()
  })
  return {
    changes,
    /** Resolves when so many were heard. */
    async heard(count: number) {
      while (changes.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return changes
    },
  }
}

if (server !== null) {
  const { url } = server
  /** Stores on one schema, which have begun to follow its changes. */
  async function open(...options: readonly PostgresOptions[]) {
    const schema = newSchema({ url })
    const stores = options.map((one) => postgres(url, { schema, ...one }))
    for (const store of stores) await store.users.list()
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))))
    const [mine = postgres(url), theirs = postgres(url)] = stores
    return { schema, mine, theirs }
  }

  async function connect() {
    const client = new Client(url)
    await client.connect()
    onTestFinished(() => client.end())
    return client
  }

  describe('the change feed on PostgreSQL', () => {
    it('tells by name and in order what another node changed, once it is committed', async () => {
      const { mine, theirs } = await open(LONG, LONG)
      const user = await insertUser(theirs)
      const { id } = await insertToken(theirs, newToken(user.id, 1))
      const { heard } = listen(mine)
      await theirs.users.update(user.id, { isActive: false })
      const rotation = { hint: '', sealed: null, expiresAt: null, previousEndsAt: new Date(9) }
      await theirs.tokens.rotate(id, { expected: digestOf(1), digest: digestOf(2), ...rotation })
      await theirs.tokens.delete(id)
      await theirs.jwts.revokeUser('text', new Date(0))
      const record = { family: 'a', userId: 1, issuedAt: new Date(0), expiresAt: new Date(9) }
      await theirs.jwts.revoke({ jti: 'jti', ...record }, new Date(1))
      await theirs.keys.insert(
        {
          kid: 'k',
          algorithm: 'ES256',
          publicJwk: '{}',
          sealed: null,
          createdAt: new Date(0),
          activeFrom: new Date(0),
          retiresAt: null,
        },
        null,
      )
      expect(await heard(7)).toEqual([
        { kind: 'user', userId: user.id },
        secret(1),
        secret(2),
        secret(1),
        { kind: 'user', userId: 'text' },
        { kind: 'jwt', jti: 'jti' },
        { kind: 'keys' },
      ])
    })

    it('tells own changes once, though they come back through the table', async () => {
      const { mine, theirs } = await open(LONG, LONG)
      const user = await insertUser(mine)
      for (const number of [1, 2]) await insertToken(mine, newToken(user.id, number))
      const { heard } = listen(mine)
      await mine.tokens.deleteMany({})
      await mine.users.update(user.id, { isActive: false })
      await mine.users.update(user.id, { isActive: false })
      await mine.keys.deleteRetired(new Date(0))
      await theirs.users.delete(user.id)
      const own: Change = { kind: 'user', userId: user.id }
      expect(await heard(5)).toEqual([secret(1), secret(2), own, own, own])
    })

    it('says nothing of what narrows no right: new tokens, uses, logins, counters, another seal', async () => {
      const { mine, theirs } = await open(LONG, LONG)
      const { heard } = listen(mine)
      const user = await insertUser(theirs)
      const sealed = new Uint8Array([1])
      const { id: tokenId, digest } = await insertToken(theirs, newToken(user.id, 1, { sealed }))
      const use = { tokenId, digest, count: 1, lastUsedAt: new Date(1), lastUsedAddress: null }
      await theirs.tokens.recordUses([use])
      await theirs.tokens.reseal(tokenId, sealed, new Uint8Array([2]))
      await theirs.users.recordLogin?.(user.id, { lastLogin: new Date(1), passwordHash: 'upgraded' })
      await theirs.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 1)
      await theirs.jwts.insert([
        { jti: 'a', family: 'a', userId: 1, issuedAt: new Date(0), expiresAt: new Date(9) },
      ])
      await theirs.users.update(user.id, { isActive: false })
      expect(await heard(1)).toEqual([{ kind: 'user', userId: user.id }])
    })

    it('tells what a hand at the database did, and "all" when it emptied a table', async () => {
      const { mine, schema } = await open(LONG)
      const user = await insertUser(mine)
      for (const number of [1, 2, 3]) await insertToken(mine, newToken(user.id, number))
      const { heard } = listen(mine)
      await query(url, `DELETE FROM ${schema}.tokens WHERE id < 3`)
      expect(await heard(2)).toEqual([secret(1), secret(2)])
      await query(url, `UPDATE ${schema}.users SET is_active = false`)
      await heard(3)
      await query(url, `TRUNCATE ${schema}.tokens CASCADE`)
      expect((await heard(4)).slice(2)).toEqual([{ kind: 'user', userId: user.id }, { kind: 'all' }])
    })

    it('misses nothing of transactions that commit in another order than they began', async () => {
      const { mine, schema } = await open(LONG)
      const users = [await insertUser(mine, 'a'), await insertUser(mine, 'b'), await insertUser(mine, 'c')]
      const [a, b, c] = users.map((user): Change => ({ kind: 'user', userId: user.id }))
      const { heard } = listen(mine)
      const [early, late] = [await connect(), await connect()]
      await early.query('BEGIN')
      await early.query(`UPDATE ${schema}.users SET is_active = false WHERE username = 'a'`)
      await late.query(`UPDATE ${schema}.users SET is_active = false WHERE username = 'b'`)
      expect(await heard(1)).toEqual([b])
      await late.query(`UPDATE ${schema}.users SET is_active = false WHERE username = 'c'`)
      expect(await heard(2)).toEqual([b, c])
      await early.query('COMMIT')
      expect(await heard(3)).toEqual([b, c, a])
      await late.query(`UPDATE ${schema}.users SET is_active = true WHERE username = 'b'`)
      expect(await heard(4)).toEqual([b, c, a, b])
    })

    it('tells again what a listener could not take, and "all" for a row that makes no sense', async () => {
      const { mine, schema } = await open({ leaseSeconds: 0.4 })
      const user = await insertUser(mine)
      let refusals = 2
      mine.changes.subscribe(() => {
        refusals -= 1
        if (refusals >= 0) throw new Error('not now')
      })
      const { heard } = listen(mine)
      await query(url, `UPDATE ${schema}.users SET is_active = false`)
      expect(await heard(1)).toEqual([{ kind: 'user', userId: user.id }])
      for (const [count, values] of [`('user', '{')`, `('token', null)`, `('later', 'x')`].entries()) {
        await query(url, `INSERT INTO ${schema}.changes (kind, key) VALUES ${values}`)
        expect((await heard(count + 2)).at(-1)).toEqual({ kind: 'all' })
      }
    })

    it('forgets everything when more changed at once than is worth naming', async () => {
      const { mine, schema } = await open(LONG)
      const user = await insertUser(mine)
      const { heard } = listen(mine)
      await query(
        url,
        `INSERT INTO ${schema}.tokens (policy, user_id, digest, hint, name, created_at)
         SELECT 'knox', $1, sha256(n::text::bytea), '', '', 0 FROM generate_series(1, 10001) AS n`,
        [user.id],
      )
      await query(url, `DELETE FROM ${schema}.tokens`)
      expect(await heard(1)).toEqual([{ kind: 'all' }])
      await query(url, `UPDATE ${schema}.users SET is_active = false`)
      expect(await heard(2)).toEqual([{ kind: 'all' }, { kind: 'user', userId: user.id }])
    })

    it('hears at its interval behind a pooler, and at once with a broadcast', async () => {
      const pooled = { transactionPooler: true }
      const { mine, theirs } = await open({ ...pooled, leaseSeconds: 0.4 }, LONG)
      const user = await insertUser(theirs)
      const slow = listen(mine)
      await theirs.users.update(user.id, { isActive: false })
      await slow.heard(1)
      const wakes = new Set<() => void>()
      const broadcast: Broadcast = {
        async publish() {
          for (const wake of wakes) wake()
          throw new Error('a broadcast that fails is nobody else')
        },
        subscribe(wake) {
          wakes.add(wake)
          return () => void wakes.delete(wake)
        },
      }
      const both = { ...pooled, ...LONG, broadcast }
      const woken = await open(both, both)
      await insertUser(woken.theirs)
      const { heard } = listen(woken.mine)
      await woken.theirs.users.update(1, { isActive: false })
      expect(await heard(1)).toEqual([{ kind: 'user', userId: 1 }])
      expect(wakes.size).toBe(2)
      await woken.mine.close()
      expect(wakes.size).toBe(1)
    })

    it('catches up by name after its connections were cut', async () => {
      const proxy = await startTcpProxy(server.port)
      const schema = newSchema(server)
      const theirs = postgres(url, { schema })
      const user = await insertUser(theirs)
      const { id } = await insertToken(theirs, newToken(user.id, 1))
      const through = new URL(url)
      through.host = `127.0.0.1:${proxy.port}`
      const mine = postgres(through.href, { schema, leaseSeconds: 1 })
      await mine.users.list()
      const { changes, heard } = listen(mine)
      proxy.cut()
      await theirs.tokens.delete(id)
      await expect(mine.users.list()).rejects.toMatchObject({ code: 'store_unavailable' })
      expect(changes).toEqual([])
      proxy.mend()
      expect(await heard(1)).toEqual([secret(1)])
      expect(await mine.users.list()).toEqual([user])
      await Promise.all([mine.close(), theirs.close()])
    })

    it('hears again on a new connection when a server process was ended', async () => {
      const { mine, theirs } = await open(LONG, LONG)
      const user = await insertUser(theirs)
      const { heard } = listen(mine)
      for (let round = 1; round <= 3; round += 1) {
        await query(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'latchkey' AND pid != pg_backend_pid() AND query LIKE '%pg_current_snapshot%'`,
        )
        await theirs.users.update(user.id, { email: String(round) })
        await heard(round)
      }
      expect(await heard(3)).toEqual(Array(3).fill({ kind: 'user', userId: user.id }))
    })

    it('prunes what is older than an hour', async () => {
      const clocks = { monotonic: fixedClock(0), wall: fixedClock(0) }
      const schema = newSchema(server)
      const store = storeOn(url, { schema, ...LONG }, clocks)
      const user = await insertUser(store)
      await query(
        url,
        `INSERT INTO ${schema}.changes (kind, created_at)
         SELECT 'all', now() - interval '61 minutes' FROM generate_series(1, 2500)`,
      )
      await query(
        url,
        `INSERT INTO ${schema}.changes (kind, created_at) VALUES ('keys', now() - interval '59 minutes')`,
      )
      clocks.monotonic.advance(60.001)
      const { heard } = listen(store)
      await query(url, `UPDATE ${schema}.users SET is_active = false WHERE id = $1`, [user.id])
      await heard(1)
      await vi.waitFor(async () => {
        const rows = await query(url, `SELECT kind FROM ${schema}.changes ORDER BY id`)
        expect(rows).toEqual([{ kind: 'keys' }, { kind: 'user' }])
      })
      await store.close()
    })
  })

  describe('the lease', () => {
    async function leased() {
      const clocks = { monotonic: fixedClock(1_000_000), wall: fixedClock(2_000_000) }
      const schema = newSchema({ url })
      const store = storeOn(url, { schema, ...LONG }, clocks)
      const user = await insertUser(store)
      onTestFinished(() => store.close())
      const change = () => query(url, `UPDATE ${schema}.users SET is_active = false WHERE id = $1`, [user.id])
      return { clocks, store, change, ...listen(store) }
    }
    const all = (count: number) => Array(count).fill({ kind: 'all' })

    it('lasts as long as it says after the start of the last look, and not a millisecond longer', async () => {
      const { clocks, store, changes } = await leased()
      expect(store.changes.lagMs).toBe(0)
      clocks.monotonic.advance(600)
      clocks.wall.advance(600)
      store.changes.catchUp()
      expect([store.changes.lagMs, changes]).toEqual([600_000, []])
      clocks.monotonic.advance(0.001)
      for (let round = 1; round <= 3; round += 1) {
        store.changes.catchUp()
        expect(changes).toEqual(all(round))
      }
    })

    it('is over when the process was stopped or the machine slept, whichever clock tells', async () => {
      for (const clock of ['monotonic', 'wall'] as const) {
        const { clocks, store, changes } = await leased()
        clocks[clock].advance(600.001)
        store.changes.catchUp()
        expect(changes).toEqual(all(1))
      }
    })

    it('is not made longer by a clock that is set back', async () => {
      const { clocks, store, changes } = await leased()
      clocks.wall.advance(-3600)
      clocks.monotonic.advance(600.001)
      store.changes.catchUp()
      expect(changes).toEqual(all(1))
    })

    it('begins again with the next look', async () => {
      const { clocks, store, changes, change, heard } = await leased()
      clocks.monotonic.advance(700)
      store.changes.catchUp()
      await change()
      expect(await heard(2)).toEqual([{ kind: 'all' }, { kind: 'user', userId: 1 }])
      store.changes.catchUp()
      expect(changes).toHaveLength(2)
      expect(store.changes.lagMs).toBe(0)
    })

    it('of one who was away for longer than changes are kept ends in forgetting everything', async () => {
      const { clocks, change, heard } = await leased()
      clocks.wall.advance(1800.001)
      await change()
      expect(await heard(1)).toEqual([{ kind: 'all' }])
    })

    it('is over before the first use of a store', () => {
      const store = postgres(url)
      const { changes } = listen(store)
      store.changes.catchUp()
      expect(changes).toEqual(all(1))
      expect(store.changes.lagMs).toBe(Number.POSITIVE_INFINITY)
    })

    it('runs out while the network is silent, and look-ups fail instead of hanging', async () => {
      const proxy = await startTcpProxy(server.port)
      const schema = newSchema(server)
      const through = new URL(url)
      through.host = `127.0.0.1:${proxy.port}`
      const timeouts = { connectTimeoutMs: 300, statementTimeoutMs: 300 }
      const store = postgres(through.href, { schema, leaseSeconds: 0.4, ...timeouts })
      const user = await insertUser(store)
      await insertToken(store, newToken(user.id, 1))
      const { changes, heard } = listen(store)
      store.changes.catchUp()
      expect(changes).toEqual([])
      proxy.stall()
      await expect(store.tokens.findByDigest(digestOf(1))).rejects.toMatchObject({
        code: 'store_unavailable',
        retryAfterSeconds: 1,
      })
      await vi.waitFor(() => {
        store.changes.catchUp()
        expect(changes).toEqual([{ kind: 'all' }])
      })
      await expect(store.tokens.findByDigest(digestOf(1))).rejects.toMatchObject({
        code: 'store_unavailable',
      })
      proxy.mend()
      await vi.waitFor(async () =>
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user }),
      )
      const before = changes.length
      await query(url, `UPDATE ${schema}.users SET is_active = false`)
      expect((await heard(before + 1)).at(-1)).toEqual({ kind: 'user', userId: user.id })
      await store.close()
    })
  })
}

if (canStartPostgres('a server that restarts')) {
  const own = await startPostgres()

  describe('a server that restarts', () => {
    it('loses nothing acknowledged, and everything is forgotten: it may be another one', async () => {
      const store = postgres(own.url, { ...LONG, statementTimeoutMs: 2000, connectTimeoutMs: 2000 })
      const user = await insertUser(store)
      await insertToken(store, newToken(user.id, 1))
      stopServer(own)
      await expect(store.tokens.findByDigest(digestOf(1))).rejects.toMatchObject({
        code: 'store_unavailable',
        retryAfterSeconds: 1,
      })
      await startServer(own)
      expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user })
      await store.close()
      const again = postgres(own.url, { leaseSeconds: 1 })
      await again.users.list()
      const after = listen(again)
      stopServer(own)
      await startServer(own)
      expect(await after.heard(1)).toEqual([{ kind: 'all' }])
      await again.close()
    })
  })
}
