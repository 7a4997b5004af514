/** The database of a run: a file, or a PostgreSQL database that is made for the run and dropped after it, with Redis or without. */
import { connect } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres, startRedis } from './services.mjs'

/**
 * @typedef {object} TortureDatabase
 * @property {string} url a path, or `postgres://…`
 * @property {readonly { host: string, port: number }[]} addresses what a proxy of each node stands before
 * @property {(ports: readonly number[]) => object} through what a node is told, given the ports of its proxies
 * @property {() => Promise<void>} close
 *
 * @returns {Promise<TortureDatabase | null>} null when it is not there
 */
export async function openDatabase(name, folder) {
  if (name === 'sqlite') {
    const path = join(folder, 'torture.sqlite3')
    return { url: path, addresses: [], through: () => ({ database: path }), close: async () => undefined }
  }
  if (name === 'postgres') return openPostgres()
  if (name === 'redis') return openRedis()
  throw new TypeError(`--database: must be sqlite, postgres or redis, not ${name}`)
}

async function openPostgres() {
  const { LATCHKEY_TEST_POSTGRES_URL: given } = process.env
  const usual = await connectTo(given || 'postgres://postgres@127.0.0.1:5432/postgres')
  const found = usual ?? (given ? null : await connectTo(await startPostgres()))
  if (found === null) return null
  const { url: server, admin } = found
  const made = `latchkey_torture_${process.pid}`
  await admin.query(`create database ${made}`)
  const url = new URL(server)
  url.pathname = `/${made}`
  return {
    url: url.href,
    addresses: [addressOf(url, 5432)],
    through: ([port]) => {
      const proxied = new URL(url)
      proxied.hostname = '127.0.0.1'
      proxied.port = String(port)
      return { database: proxied.href }
    },
    close: async () => {
      await admin.query(`drop database ${made} with (force)`)
      await admin.end()
    },
  }
}

async function connectTo(url) {
  if (url === null) return null
  const admin = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  try {
    await admin.connect()
    return { url, admin }
  } catch {
    return null
  }
}

async function openRedis() {
  const { LATCHKEY_TEST_REDIS_URL: given } = process.env
  const usual = addressOf(new URL(given || 'redis://127.0.0.1:6379'), 6379)
  const address = given || (await answers(usual)) ? usual : await startRedis()
  const database = address !== null && (await answers(address)) ? await openPostgres() : null
  return (
    database && {
      ...database,
      addresses: [...database.addresses, address],
      through: ([port, redisPort]) => ({
        ...database.through([port]),
        redisPort,
        channel: `latchkey:torture:${process.pid}`,
      }),
    }
  )
}

function addressOf(url, usualPort) {
  return { host: url.hostname, port: Number(url.port || usualPort) }
}

function answers(address) {
  return new Promise((resolve) => {
    const socket = connect(address, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
