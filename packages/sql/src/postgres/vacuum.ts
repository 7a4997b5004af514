/** VACUUM in a session of its own, which no statement timeout ends. */
import type { Database } from './database.js'

/** What is bounded here is a pass over very many rows. */
const TIMEOUT_MS = 86_400_000

/** @param sql the VACUUM statement; it cannot be a part of a transaction */
export async function vacuum(database: Database, sql: string): Promise<void> {
  const { transactionPooler } = database.options
  await database.use(async (client) => {
    // Behind a pooler nothing bounds a statement, and nothing may be set that the next one finds.
    if (!transactionPooler) await database.runOn(client, { sql: 'SET statement_timeout = 0' })
    try {
      await database.runOn(client, { sql }, TIMEOUT_MS)
    } finally {
      if (!transactionPooler) await database.runOn(client, { sql: 'RESET statement_timeout' })
    }
  })
}
