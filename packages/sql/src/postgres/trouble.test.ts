import { isLatchkeyError } from 'latchkey'
import { Client } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  canStartPostgres,
  findPostgres,
  newSchema,
  query,
  startPostgres,
} from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { startTcpProxy } from '../../test/tcp-proxy.js'
import { type PostgresOptions, postgres } from './postgres.js'

const server = await findPostgres()
const unavailable = (detail: RegExp) => ({ code: 'store_unavailable', detail: expect.stringMatching(detail) })

/** What the first use of a store says; one line that names the place and no password. */
async function refusalOf(url: string, options: PostgresOptions = {}): Promise<string> {
  const store = postgres(url, { connectTimeoutMs: 3000, ...options })
  try {
    await store.users.list()
  } catch (error) {
    if (!isLatchkeyError(error, 'store_unavailable')) throw error
    expect(error.message).toContain(store.path)
    expect(error.message).not.toContain('\n')
    expect(`${error.message} ${error.cause}`).not.toContain('hunter2')
    return error.detail ?? ''
  } finally {
    await store.close()
  }
  throw new Error('it was opened')
}

describe('a wrong address is refused at the first use', () => {
  it('where nobody listens', async () => {
    const { port } = await startTcpProxy(1)
    expect(await refusalOf('postgres://app:hunter2@127.0.0.1:1/app')).toMatch(/nobody listens there/)
    expect(await refusalOf(`postgres://app:hunter2@127.0.0.1:${port}/app`)).toMatch(/connection .* was lost/)
  })

  it('a host that does not exist, a socket that does not', async () => {
    expect(await refusalOf('postgres://app:hunter2@latchkey.invalid/app')).toMatch(
      /no such host|cannot be looked up/,
    )
    expect(await refusalOf('postgres://app:hunter2@localhost/app?host=/nowhere')).toMatch(/no such socket/)
  })
})

if (server !== null) {
  const { url } = server
  const through = async () => {
    const proxy = await startTcpProxy(server.port)
    const address = new URL(url)
    address.host = `127.0.0.1:${proxy.port}`
    return { proxy, address: address.href }
  }
  const altered = (change: (address: URL) => void) => {
    const address = new URL(url)
    change(address)
    return address.href
  }
  /** Holds locks in a transaction of its own until it is told to let go. */
  const holding = async (sql: string) => {
    const client = new Client(url)
    await client.connect()
    onTestFinished(() => client.end())
    await client.query('BEGIN')
    await client.query(sql)
    return () => client.query('ROLLBACK')
  }

  describe('a wrong address is refused at the first use, by the server', () => {
    it('a database or a user that does not exist', async () => {
      expect(await refusalOf(altered((address) => (address.pathname = '/nowhere')))).toMatch(
        /no such database: create it/,
      )
      expect(await refusalOf(altered((address) => (address.username = 'nobody_here')))).toMatch(
        /refuses this user/,
      )
    })

    it('a server that only reads', async () => {
      const readOnly = altered((address) =>
        address.searchParams.set('options', '-c default_transaction_read_only=on'),
      )
      expect(await refusalOf(readOnly, { schema: newSchema(server) })).toMatch(/read-only/)
    })
  })

  describe('trouble later is store_unavailable, never "not found", and never hangs', () => {
    it('a row that somebody holds for too long', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema, statementTimeoutMs: 300 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      const release = await holding(`SELECT FROM ${schema}.tokens FOR UPDATE`)
      const late = { ...unavailable(/took too long/), retryAfterSeconds: 1 }
      await expect(store.tokens.delete(id)).rejects.toMatchObject(late)
      await expect(store.tokens.dropPrevious(id, digestOf(9))).resolves.toBe(false)
      expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user })
      await release()
      expect(await store.tokens.delete(id)).toBe(true)
      await store.close()
    })

    it('more work than connections', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema, poolSize: 1, connectTimeoutMs: 300 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      const release = await holding(`SELECT FROM ${schema}.tokens FOR UPDATE`)
      const deleting = store.tokens.delete(id)
      await expect(store.users.list()).rejects.toMatchObject(unavailable(/no connection was free/))
      await release()
      expect(await deleting).toBe(true)
      expect(await store.users.list()).toEqual([user])
      await store.close()
    })

    it('a server that goes away in the middle of a transaction: it has happened completely or not at all', async () => {
      const schema = newSchema(server)
      const { proxy, address } = await through()
      const store = postgres(address, { schema })
      const user = await insertUser(store)
      const { sealed, ...token } = await insertToken(store, newToken(user.id, 1))
      const release = await holding(`SELECT FROM ${schema}.tokens FOR UPDATE`)
      const rotation = { hint: '', sealed: null, expiresAt: null, previousEndsAt: new Date(9) }
      const rotating = store.tokens.rotate(token.id, {
        expected: digestOf(1),
        digest: digestOf(2),
        ...rotation,
      })
      const outcome = expect(rotating).rejects.toMatchObject(unavailable(/connection to the server was lost/))
      await expect
        .poll(() =>
          query(
            url,
            `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${schema}%'`,
          ),
        )
        .toHaveLength(1)
      proxy.cut()
      await outcome
      await release()
      proxy.mend()
      expect(await store.tokens.findByDigest(digestOf(1))).toEqual({ token, user })
      expect(await store.tokens.findByDigest(digestOf(2))).toBeNull()
      await store.close()
    })

    it('a network that went silent: every call ends, and goes on when it is back', async () => {
      const schema = newSchema(server)
      const { proxy, address } = await through()
      const timeouts = { connectTimeoutMs: 300, statementTimeoutMs: 300 }
      const store = postgres(address, { schema, poolSize: 2, ...timeouts })
      const user = await insertUser(store)
      proxy.stall()
      const calls = Array.from({ length: 6 }, () => store.users.list())
      for (const outcome of await Promise.allSettled(calls)) {
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } })
      }
      await expect(store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 0)).rejects.toMatchObject(
        unavailable(/too long|not answer|lost|free/),
      )
      proxy.mend()
      await expect.poll(() => store.users.list().catch(() => null)).toEqual([user])
      proxy.stall()
      await store.close()
    })

    it('connections that died while nobody used them: look-ups do not notice', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema })
      const user = await insertUser(store)
      await insertToken(store, newToken(user.id, 1))
      for (let round = 0; round < 5; round += 1) {
        await Promise.all([1, 2, 3, 4].map(() => store.tokens.findByDigest(digestOf(1))))
        await query(
          url,
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%${schema}%' AND pid != pg_backend_pid()`,
        )
        expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user })
      }
      await store.close()
    })

    it('a call that fails inside a transaction leaves its connection as good as new', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema, poolSize: 1 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      await insertToken(store, newToken(user.id, 2))
      const rotation = { hint: '', sealed: null, expiresAt: null, previousEndsAt: new Date(9) }
      const taken = store.tokens.rotate(id, { expected: digestOf(1), digest: digestOf(2), ...rotation })
      await expect(taken).rejects.toMatchObject({ code: 'store_unavailable' })
      await expect(
        store.counters.hit('key', { maxCount: 1, periodSeconds: Number.POSITIVE_INFINITY }, 0),
      ).rejects.toThrow(TypeError)
      expect(await store.tokens.list({})).toHaveLength(2)
      expect(await store.tokens.delete(id)).toBe(true)
      await store.close()
    })

    it('a store that is closed', async () => {
      const store = postgres(url, { schema: newSchema(server) })
      await store.migrate()
      await store.close()
      await expect(store.users.list()).rejects.toMatchObject(unavailable(/closed/))
      await expect(store.migrate()).rejects.toMatchObject(unavailable(/closed/))
      await expect(store.migrations()).rejects.toMatchObject(unavailable(/closed/))
      expect(() => store.changes.catchUp()).toThrow(expect.objectContaining(unavailable(/closed/)))
    })
  })
}

if (canStartPostgres('passwords of PostgreSQL')) {
  const own = await startPostgres({}, 'correct horse')

  describe('a server that asks for a password', () => {
    const withPassword = (password: string) => {
      const address = new URL(own.url)
      address.password = password
      return address.href
    }

    it('takes the right one, and refuses a wrong one and none', async () => {
      const store = postgres(withPassword('correct horse'))
      expect(await store.users.list()).toEqual([])
      expect(store.path).not.toContain('horse')
      await store.close()
      expect(await refusalOf(withPassword('hunter2'))).toMatch(/refuses the password/)
      expect(await refusalOf(withPassword(''))).toMatch(/asks for a password|refuses the password/)
    })
  })
}
