/** What makes a database of today one of schema 0005 again, with its rows: for tests of what the migrations since do. */

/** Run on a connection to the file. */
export const UNDO_TO_0005 = `
  DELETE FROM latchkey_migrations WHERE name > '0006';
  DROP TRIGGER tokens_sealed_inserted; DROP TRIGGER tokens_sealed_updated;
  DROP TRIGGER signing_keys_sealed_inserted; DROP TRIGGER signing_keys_sealed_updated;
  DROP TABLE sealing_keys;
  DROP TRIGGER users_narrowed; DROP TRIGGER users_gone;
  DROP TABLE access_versions;
  ALTER TABLE jwts DROP COLUMN family_started_at;
  DROP INDEX users_hash_cost;
  DROP TABLE login_addresses`

/** The same on PostgreSQL; what 0009 sets about functions stays, and does not matter. */
export function undoTo0005(schema: string): string {
  return `
    SET search_path TO ${schema};
    DELETE FROM latchkey_migrations WHERE name > '0006';
    DROP FUNCTION refuse_old_seal CASCADE;
    DROP TABLE sealing_keys;
    DROP FUNCTION narrow_access CASCADE;
    DROP TABLE access_versions;
    ALTER TABLE jwts DROP COLUMN family_started_at;
    DROP INDEX users_hash_cost;
    DROP TABLE login_addresses`
}
