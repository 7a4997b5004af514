/** Migration 0005: so many events at one moment are one row. Never edited: what comes later is a later migration. */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('counter_events')
    .addColumn('count', 'integer', (column) => column.notNull().defaultTo(1))
    .execute()
  // Sums are taken from the index alone.
  await db.schema
    .createIndex('counter_events_key_at_count')
    .on('counter_events')
    .columns(['key', 'at', 'count'])
    .execute()
  await db.schema.dropIndex('counter_events_key_at').execute()
}
