/** The database of a run: a file, or a PostgreSQL database that is made for the run and dropped after it. */
import { join } from 'node:path'
import pg from 'pg'

/**
 * @typedef {object} TortureDatabase
 * @property {string} url a path, or `postgres://…`
 * @property {{ host: string, port: number } | null} address what a proxy stands before; null: nothing can
 * @property {(port: number) => string} through the same by a proxy on this machine
 * @property {() => Promise<void>} close
 *
 * @returns {Promise<TortureDatabase | null>} null when it is not there
 */
export async function openDatabase(name, folder) {
  if (name === 'sqlite') {
    const path = join(folder, 'torture.sqlite3')
    return { url: path, address: null, through: () => path, close: async () => undefined }
  }
  if (name !== 'postgres') throw new TypeError(`--database: must be sqlite or postgres, not ${name}`)
  const server = process.env.LATCHKEY_TEST_POSTGRES_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
  const admin = new pg.Client({ connectionString: server, connectionTimeoutMillis: 2000 })
  try {
    await admin.connect()
  } catch {
    return null
  }
  const made = `latchkey_torture_${process.pid}`
  await admin.query(`create database ${made}`)
  const url = new URL(server)
  url.pathname = `/${made}`
  return {
    url: url.href,
    address: { host: url.hostname, port: Number(url.port || 5432) },
    through: (port) => {
      const proxied = new URL(url)
      proxied.hostname = '127.0.0.1'
      proxied.port = String(port)
      return proxied.href
    },
    close: async () => {
      await admin.query(`drop database ${made} with (force)`)
      await admin.end()
    },
  }
}
