/** What `tokens` needs beside its tables once it is partitioned: functions of its schema, and triggers that call them. */

export function functionsText(schema: string): string {
  return `
    -- A new digest usually moves the row to another partition. That is a deletion there and an insertion here, of which
    -- the triggers for updated rows are not told, but those for the statement are. No join: what was once planned for
    -- one row would be done in the same way for a million.
    CREATE OR REPLACE FUNCTION tell_moved_tokens() RETURNS trigger LANGUAGE plpgsql
      SET search_path = pg_catalog, pg_temp AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, digest) SELECT 'token', secret
        FROM (SELECT digest, previous_digest FROM before EXCEPT SELECT digest, previous_digest FROM after) AS moved,
          LATERAL (VALUES (moved.digest), (moved.previous_digest)) secrets (secret) WHERE secret IS NOT NULL;
      RETURN NULL;
    END $$;

    -- In place of the reference of token_uses, which needs ids that are unique by an index. The uses of a token that is
    -- being deleted cannot come in between: who writes them locks the token first. An array, for the same reason as
    -- above: with it the index is used for one row and for a million.
    CREATE OR REPLACE FUNCTION forget_uses() RETURNS trigger LANGUAGE plpgsql
      SET search_path = pg_catalog, pg_temp AS $$ BEGIN
      DELETE FROM "${schema}".token_uses WHERE token_id = ANY (ARRAY(SELECT id FROM gone));
      RETURN NULL;
    END $$;
    CREATE OR REPLACE FUNCTION forget_all_uses() RETURNS trigger LANGUAGE plpgsql
      SET search_path = pg_catalog, pg_temp AS $$ BEGIN
      DELETE FROM "${schema}".token_uses
        WHERE NOT EXISTS (SELECT FROM "${schema}".tokens WHERE tokens.id = token_uses.token_id);
      RETURN NULL;
    END $$`
}

/** As the catalogue writes them, from which they are read when the table is partitioned anew. */
export const ADDED_TRIGGERS: readonly string[] = [
  `CREATE TRIGGER tokens_moved AFTER UPDATE ON tokens REFERENCING OLD TABLE AS before NEW TABLE AS after
    FOR EACH STATEMENT EXECUTE FUNCTION tell_moved_tokens()`,
  `CREATE TRIGGER tokens_uses AFTER DELETE ON tokens REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION forget_uses()`,
  `CREATE TRIGGER tokens_uses_emptied AFTER TRUNCATE ON tokens
    FOR EACH STATEMENT EXECUTE FUNCTION forget_all_uses()`,
]
