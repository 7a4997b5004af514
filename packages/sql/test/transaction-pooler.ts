/**
 * A pool that behaves as PgBouncer in transaction mode does: whoever has a connection of it talks to another server
 * process after every transaction, and what was set or prepared beyond one is gone.
 */
import pg from 'pg'
import type { PostgresClient, PostgresPool, PostgresQuery } from '../src/postgres/pool.js'

const SERVER_PROCESSES = 3

export interface TransactionPooler extends PostgresPool {
  /** Texts of queries that would not work behind a pooler: prepared, or of a session. */
  readonly offences: readonly string[]
  readonly ended: boolean
  end(): Promise<void>
}

export function transactionPooler(url: string): TransactionPooler {
  const pool = new pg.Pool({ connectionString: url, max: SERVER_PROCESSES })
  const offences: string[] = []
  return {
    offences,
    get ended() {
      return pool.ended
    },
    on: () => undefined,
    async connect(): Promise<PostgresClient> {
      let server: pg.PoolClient | null = null
      const release = async () => {
        const used = server
        server = null
        await used?.query('DISCARD ALL')
        used?.release()
      }
      return {
        async query(query: PostgresQuery) {
          if (query.name !== undefined || /^\s*(SET (?!LOCAL)|LISTEN|UNLISTEN|DECLARE)/i.test(query.text)) {
            offences.push(query.text)
          }
          server ??= await pool.connect()
          try {
            const answer = await server.query(query)
            if (server.getTransactionStatus() === 'I') await release()
            return answer
          } catch (error) {
            if (server.getTransactionStatus() === 'I') await release()
            throw error
          }
        },
        release: () => void release(),
        on: () => undefined,
      }
    },
    end: () => pool.end(),
  }
}
