/**
 * Migration 0007 on PostgreSQL: how often the access of each user was narrowed, and when each family of refresh tokens began.
 * Never edited once released.
 */

export function up(schema: string): string {
  return `
    ALTER TABLE jwts ADD COLUMN family_started_at bigint;

    -- The key is 'u' and the id as a text, so that 42 and '42' are one user. A row exists from the first reading on, so
    -- that there is one to lock.
    CREATE TABLE access_versions (
      user_key text COLLATE "C" PRIMARY KEY,
      version bigint NOT NULL
    ) WITH (fillfactor = 90);

    -- As in 0003. Statements of this version have locked the row before the user's.
    CREATE FUNCTION narrow_access() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".access_versions (user_key, version) VALUES ('u' || OLD.id, 1)
        ON CONFLICT (user_key) DO UPDATE SET version = access_versions.version + 1;
      RETURN NULL;
    END $$;
    CREATE TRIGGER users_narrowed
      AFTER DELETE OR UPDATE OF username, email, password_version, is_active, is_staff, is_superuser ON users
      FOR EACH ROW EXECUTE FUNCTION narrow_access();`
}
