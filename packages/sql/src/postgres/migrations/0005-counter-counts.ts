/** Migration 0005 on PostgreSQL: so many events at one moment are one row. Never edited once released. */

export function up(): string {
  return `
    ALTER TABLE counter_events ADD COLUMN count integer NOT NULL DEFAULT 1;
    -- Sums are taken from the index alone.
    CREATE INDEX counter_events_key_at_count ON counter_events (key, at) INCLUDE (count);
    DROP INDEX counter_events_key_at;`
}
