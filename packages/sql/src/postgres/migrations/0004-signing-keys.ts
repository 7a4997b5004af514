/** Migration 0004 on PostgreSQL: the keys that sign JWTs. Never edited once released. */

export function up(schema: string): string {
  return `
    CREATE TABLE signing_keys (
      kid text COLLATE "C" PRIMARY KEY,
      algorithm text NOT NULL,
      public_jwk text NOT NULL,
      sealed bytea,
      created_at bigint NOT NULL,
      active_from bigint NOT NULL,
      retires_at bigint
    );

    -- As in 0003. Another seal changes nothing for those who know the key.
    CREATE FUNCTION tell_keys() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind) VALUES ('keys');
      RETURN NULL;
    END $$;
    CREATE TRIGGER signing_keys_changed
      AFTER INSERT OR DELETE OR UPDATE OF kid, algorithm, public_jwk, active_from, retires_at ON signing_keys
      FOR EACH ROW EXECUTE FUNCTION tell_keys();
    CREATE TRIGGER signing_keys_emptied AFTER TRUNCATE ON signing_keys
      FOR EACH STATEMENT EXECUTE FUNCTION tell_all();`
}
