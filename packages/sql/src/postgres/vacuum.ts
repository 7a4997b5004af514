/** VACUUM in a session of its own, which no statement timeout ends and which is closed after it. */
import type { Database } from './database.js'

/** What is bounded here is a pass over very many rows. */
const TIMEOUT_MS = 86_400_000

/** @param sql the VACUUM statement; it cannot be a part of a transaction */
export async function vacuum(database: Database, sql: string): Promise<void> {
  const client = await database.acquire()
  try {
    // Behind a pooler in transaction mode nothing may be set that another client finds.
    if (!database.options.transactionPooler) await database.send(client, { sql: 'SET statement_timeout = 0' })
    await database.send(client, { sql }, TIMEOUT_MS)
  } finally {
    client.release(true)
  }
}
