import type { Change } from 'latchkey'
import { Pool } from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { HOSTILE_OPTIONS } from '../../test/hostile-settings.js'
import {
  canStartPostgres,
  newSchema,
  query,
  startPostgres,
  startReplica,
  stopServer,
} from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { type PostgresOptions, postgres } from './postgres.js'

if (canStartPostgres('a read replica')) {
  const primary = await startPostgres({ wal_level: 'replica' })
  const standby = await startReplica(primary)

  const caughtUp = async () => {
    const [{ lsn } = { lsn: '' }] = await query<{ lsn: string }>(
      primary.url,
      'SELECT pg_current_wal_insert_lsn()::text AS lsn',
    )
    await vi.waitFor(async () => {
      const sql = 'SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS ok'
      expect(await query(standby.url, sql, [lsn])).toEqual([{ ok: true }])
    })
  }

  /** The replica stands still, and the primary goes on: nothing that narrows a right, but it tells who answers. */
  const pause = async (schema: string) => {
    await caughtUp()
    await query(standby.url, 'SELECT pg_wal_replay_pause()')
    await query(primary.url, `UPDATE ${schema}.users SET last_login = coalesce(last_login, 0) + 1`)
  }
  const resume = () => query(standby.url, 'SELECT pg_wal_replay_resume()')

  async function open(options: PostgresOptions = {}) {
    const schema = newSchema(primary)
    const store = postgres(primary.url, { schema, replica: standby.url, ...options })
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    await pause(schema)
    onTestFinished(async () => {
      await store.close()
      await resume().catch(() => undefined)
    })
    const answeredBy = async () => {
      const found = await store.tokens.findByDigest(digestOf(1))
      const [row] = await query<{ ms: string }>(primary.url, `SELECT last_login AS ms FROM ${schema}.users`)
      return found?.user?.lastLogin?.getTime() === Number(row?.ms) ? 'primary' : 'replica'
    }
    return { schema, store, user, token, answeredBy }
  }

  describe('a read replica', () => {
    it('answers cold look-ups, with one statement', async () => {
      const { store, answeredBy } = await open()
      for (let round = 0; round < 5; round += 1) {
        const before = store.statementCount
        expect(await answeredBy()).toBe('replica')
        expect(store.statementCount - before).toBe(1)
      }
    })

    it('answers whatever its settings are', async () => {
      const address = new URL(standby.url)
      address.searchParams.set('options', HOSTILE_OPTIONS)
      const { answeredBy } = await open({ replica: address.href })
      for (let round = 0; round < 5; round += 1) expect(await answeredBy()).toBe('replica')
      const pool = new Pool({ connectionString: address.href, max: 2 })
      await resume()
      const onPool = await open({ replica: pool })
      for (let round = 0; round < 5; round += 1) expect(await onPool.answeredBy()).toBe('replica')
      onTestFinished(() => pool.end())
    })

    it('is not believed when it has not heard yet of what this node has revoked', async () => {
      const { store, token, answeredBy } = await open()
      expect(await answeredBy()).toBe('replica')
      expect(await store.tokens.delete(token.id)).toBe(true)
      for (let round = 0; round < 20; round += 1) {
        expect(await store.tokens.findByDigest(digestOf(1))).toBeNull()
      }
    })

    it('is not believed while it is behind a change of another node that this one has heard of', async () => {
      const { schema, store, user, answeredBy } = await open({ leaseSeconds: 600 })
      const other = postgres(primary.url, { schema })
      await other.users.list()
      expect(await answeredBy()).toBe('replica')
      const heard = new Promise<Change>((resolve) => void store.changes.subscribe(resolve))
      await other.users.update(user.id, { isActive: false })
      expect(await heard).toEqual({ kind: 'user', userId: user.id })
      for (let round = 0; round < 20; round += 1) {
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user: { isActive: false } })
      }
      await resume()
      await pause(schema)
      await vi.waitFor(async () => expect(await answeredBy()).toBe('replica'))
      expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user: { isActive: false } })
      await other.close()
    })

    it('is not believed when it says that there is none: it may not have it yet', async () => {
      const { store, user } = await open()
      for (let number = 2; number < 20; number += 1) {
        const { id } = await insertToken(store, newToken(user.id, number))
        expect(await store.tokens.findByDigest(digestOf(number))).toMatchObject({ token: { id } })
      }
    })

    it('decides about JWTs as the primary does', async () => {
      const { schema, store } = await open()
      await resume()
      const record = { family: 'a', userId: 1, issuedAt: new Date(0), expiresAt: new Date(9) }
      await store.jwts.revokeUser(1, new Date(5))
      await store.jwts.insert([{ jti: 'old', ...record }])
      await pause(schema)
      await store.jwts.insert([{ jti: 'new', ...record }])
      const live = { known: 'live', notBefore: new Date(5) }
      for (const jti of ['new', 'old']) expect(await store.jwts.state(jti, 1)).toEqual(live)
      await store.jwts.revoke({ jti: 'old', ...record }, new Date(6))
      expect(await store.jwts.state('old', 1)).toMatchObject({ known: 'ended' })
      expect(await store.jwts.state('unknown', 2)).toEqual({ known: null, notBefore: null })
    })

    it('that is gone, or is no replica, is not missed', async () => {
      const { schema, user } = await open()
      for (const replica of ['postgres://postgres@127.0.0.1:1/postgres', primary.url]) {
        const store = postgres(primary.url, { schema, replica })
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user: { id: user.id } })
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user: { id: user.id } })
        await store.close()
      }
    })

    it('is refused in the place of the primary: what it says of changes proves nothing', async () => {
      const { schema } = await open()
      await resume()
      await caughtUp()
      const store = postgres(standby.url, { schema, migrate: false })
      await expect(store.tokens.findByDigest(digestOf(1))).rejects.toMatchObject({
        code: 'store_unavailable',
        detail: expect.stringMatching(/it may be a replica|is a replica/),
      })
      await store.close()
    })

    it('that stops while it is used is left out at once', async () => {
      const { store, user, answeredBy } = await open()
      expect(await answeredBy()).toBe('replica')
      stopServer(standby)
      for (let round = 0; round < 5; round += 1) {
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user: { id: user.id } })
      }
      await store.close()
    })
  })
}
