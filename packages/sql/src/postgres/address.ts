/** The address of a database: what is accepted as one, and how messages name it. */

/** What a pool of `pg` tells of where it connects to. */
export interface PoolAddress {
  readonly connectionString?: string | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
}

/**
 * Reads the address of a PostgreSQL database as the driver does.
 *
 * @param address `postgres://user:password@host:5432/database`; the host may be left out behind a user
 *   (`postgres://user@/database?host=/run/postgresql`), and is then `localhost`
 * @returns null where it is none. Null also where a character of the password ended the part with the host: what comes
 *   before `#`, `/` or `?` would be taken for host and port, and a piece of the password would appear in messages
 */
export function parsePostgresAddress(address: string): URL | null {
  const [, authority = '', rest = ''] = /^postgres(?:ql)?:\/\/([^/?#]*)(.*)$/s.exec(address) ?? []
  if (!/^postgres(ql)?:\/\//.test(address) || address.includes('#')) return null
  if (!authority.includes('@') && /^[^=]*@/.test(rest)) return null
  const isHostLeftOut = authority.endsWith('@') && rest.startsWith('/')
  const withHost = isHostLeftOut ? `postgres://${authority}localhost${rest}` : address
  return URL.canParse(withHost) ? new URL(withHost) : null
}

/** Where a database is, for messages: no user and no password. */
export function placeOf(database: string | { readonly options?: PoolAddress }): string {
  if (typeof database === 'string') {
    const address = parsePostgresAddress(database)
    if (address === null) return 'postgres://?'
    const { hostname, port, pathname, searchParams } = address
    const place = {
      host: searchParams.get('host') ?? decoded(hostname),
      port: searchParams.get('port') ?? port,
    }
    return `postgres://${place.host}${place.port && `:${place.port}`}${pathname}`
  }
  const { connectionString, host, port, database: name } = database.options ?? {}
  if (typeof connectionString === 'string') return placeOf(connectionString)
  const { PGHOST = 'localhost', PGPORT = '5432', PGDATABASE = '' } = process.env
  return `postgres://${host ?? PGHOST}:${port ?? PGPORT}/${name ?? PGDATABASE}`
}

/** A socket's directory may be written as the host: `%2Frun%2Fpostgresql`. */
function decoded(hostname: string): string {
  try {
    return decodeURIComponent(hostname)
  } catch {
    return hostname
  }
}
