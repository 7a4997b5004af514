import { testStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { makeAuthority } from '../../test/certificates.js'
import { canStartPostgres, emptySchema, newSchema, query, startPostgres } from '../../test/postgres-server.js'
import { insertUser } from '../../test/samples.js'
import { postgres } from './postgres.js'

if (canStartPostgres('TLS and sockets of PostgreSQL')) {
  const authority = makeAuthority()
  const { certificate, key } = authority.issue('DNS:localhost')
  const server = await startPostgres({ ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key })
  const plain = await startPostgres()
  const schema = newSchema(server)

  const addressOf = (host: string, parameters: Readonly<Record<string, string>>, { port } = server) =>
    `postgres://postgres@${host}:${port}/postgres?${new URLSearchParams(parameters)}`
  const open = async (url: string) => {
    const store = postgres(url, { schema })
    await store.migrate()
    await emptySchema(server, schema)
    return store
  }
  const refusalOf = async (url: string): Promise<string> => {
    const store = postgres(url, { schema })
    const refusal = await store.users.list().catch((error) => error)
    await store.close()
    expect(refusal).toMatchObject({ code: 'store_unavailable' })
    return refusal.detail
  }
  /** Whether the sessions of stores on the server are encrypted. */
  const areEncrypted = async () => {
    const sql = `SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'latchkey'`
    return (await query<{ ssl: boolean }>(server.url, sql)).map(({ ssl }) => ssl)
  }
  const verified = { sslmode: 'verify-full', sslrootcert: authority.file }

  testStore('postgres(address with a CA of its own)', () => open(addressOf('localhost', verified)), {
    describe,
    it,
  })

  describe('TLS with a CA of its own', () => {
    it('encrypts every connection', async () => {
      const store = await open(addressOf('localhost', verified))
      await insertUser(store)
      expect(await areEncrypted()).toEqual([true])
      await store.close()
    })

    it('refuses a certificate of another CA, and says what names the right one', async () => {
      const { file: sslrootcert } = makeAuthority()
      for (const parameters of [{ ...verified, sslrootcert }, { sslmode: 'verify-full' }]) {
        const detail = await refusalOf(addressOf('localhost', parameters))
        expect(detail).toMatch(/not signed by a CA that is trusted here: .* sslrootcert/)
      }
    })

    it('refuses a certificate for another host name', async () => {
      expect(await refusalOf(addressOf('127.0.0.1', verified))).toMatch(/names another host/)
    })

    it('checks an IP address as one: the certificate has to name it', async () => {
      const other = authority.issue('IP:127.0.0.1')
      const numbered = await startPostgres({
        ssl: 'on',
        ssl_cert_file: other.certificate,
        ssl_key_file: other.key,
      })
      const store = postgres(addressOf('127.0.0.1', verified, numbered))
      expect(await store.users.list()).toEqual([])
      await store.close()
      expect(await refusalOf(addressOf('localhost', verified, numbered))).toMatch(/names another host/)
    })

    it('sslmode=require and verify-ca verify as verify-full does', async () => {
      for (const sslmode of ['prefer', 'require', 'verify-ca']) {
        expect(await refusalOf(addressOf('localhost', { sslmode }))).toMatch(/not signed by a CA/)
        expect(await refusalOf(addressOf('127.0.0.1', { ...verified, sslmode }))).toMatch(/another host/)
      }
    })

    it('sslmode=no-verify, and require as in libpq, encrypt without a look at the certificate', async () => {
      for (const parameters of [{ sslmode: 'no-verify' }, { sslmode: 'require', uselibpqcompat: 'true' }]) {
        const store = await open(addressOf('127.0.0.1', parameters))
        expect(await store.users.list()).toEqual([])
        expect(await areEncrypted()).toEqual([true])
        await store.close()
      }
    })

    it('names the parameter whose file cannot be read', async () => {
      for (const name of ['sslrootcert', 'sslcert', 'sslkey']) {
        for (const path of ['/nowhere/file.pem', '/tmp']) {
          const detail = await refusalOf(addressOf('localhost', { ...verified, [name]: path }))
          expect(detail).toMatch(new RegExp(`${name} .*cannot be read.*: ${path}$`))
        }
      }
    })

    it('is refused where the server has none', async () => {
      expect(await refusalOf(addressOf('localhost', verified, plain))).toMatch(/does not speak TLS/)
    })
  })

  const socket = { host: server.folder ?? '', port: String(server.port) }
  const sockets = [
    `postgres:///postgres?${new URLSearchParams({ ...socket, user: 'postgres' })}`,
    `postgres://postgres@/postgres?${new URLSearchParams(socket)}`,
    `postgres://postgres@${encodeURIComponent(socket.host)}:${socket.port}/postgres`,
    `postgres://postgres@localhost/postgres?${new URLSearchParams(socket)}`,
  ] as const

  testStore('postgres(address of a Unix socket)', () => open(sockets[0]), { describe, it })

  describe('a Unix socket', () => {
    it('is named in each of the forms that the driver takes', async () => {
      for (const url of sockets) {
        const store = await open(url)
        const user = await insertUser(store)
        expect(await store.users.list()).toEqual([user])
        const sql = `SELECT DISTINCT client_addr::text AS address FROM pg_stat_activity WHERE application_name = 'latchkey'`
        expect(await query(server.url, sql)).toEqual([{ address: null }])
        expect(store.path).toBe(`postgres://${socket.host}:${socket.port}/postgres`)
        await store.close()
      }
    })

    it('that does not exist is said to be one', async () => {
      expect(await refusalOf('postgres:///postgres?host=/nowhere&user=postgres')).toMatch(/no such socket/)
    })
  })
}
