/**
 * Migration 0003 on PostgreSQL: what personal tokens need, the index that answers a cold look-up by itself, how secrets
 * are used, and the changes that other nodes follow. Never edited once released.
 */

/**
 * What a look-up needs of a token and may be long, as one text. A row of an index has room for 2,700 bytes, and lists of
 * scopes and addresses may be longer; so the index has this text only where it is short, and the look-up goes to the
 * table for the few tokens whose text is not. See `find-token.ts`.
 */
const DETAILS = `coalesce(scopes, '') || chr(31) || coalesce(allowed_addresses, '') || chr(31) || name`
const COVERED = 'id, policy, user_id, external_user, hint, brief, created_at, expires_at'
const PREVIOUS = 'previous_hint, previous_ends_at'

/** A change of one of these can narrow a right, or changes what is told of the token. */
const TOKEN_COLUMNS =
  'policy, user_id, external_user, digest, name, scopes, allowed_addresses, expires_at, previous_digest, previous_ends_at'
const USER_COLUMNS = 'username, email, password_version, is_active, is_staff, is_superuser'

export function up(schema: string): string {
  return `
    ALTER TABLE tokens
      ADD COLUMN scopes text,
      ADD COLUMN allowed_addresses text,
      ADD COLUMN previous_digest bytea,
      ADD COLUMN previous_hint text COLLATE "C",
      ADD COLUMN previous_ends_at bigint;
    ALTER TABLE tokens
      ADD COLUMN brief text GENERATED ALWAYS AS (
        CASE WHEN octet_length(${DETAILS}) <= 1000 THEN ${DETAILS} END) STORED;

    CREATE UNIQUE INDEX tokens_by_digest ON tokens (digest) INCLUDE (${COVERED}, previous_digest, ${PREVIOUS});
    DROP INDEX tokens_digest;
    CREATE UNIQUE INDEX tokens_by_previous_digest ON tokens (previous_digest) INCLUDE (digest, ${COVERED}, ${PREVIOUS})
      WHERE previous_digest IS NOT NULL;
    CREATE INDEX tokens_expires_at ON tokens (expires_at) WHERE expires_at IS NOT NULL;

    -- Apart from tokens, which a use must not touch: it would be a change that other nodes follow.
    CREATE TABLE token_uses (
      digest bytea PRIMARY KEY,
      token_id bigint NOT NULL REFERENCES tokens ON DELETE CASCADE,
      use_count bigint NOT NULL,
      last_used_at bigint NOT NULL,
      last_used_address text
    ) WITH (fillfactor = 90);
    CREATE INDEX token_uses_token_id ON token_uses (token_id);

    -- Written by the changing transaction itself, so that none can commit and go untold. xid tells whether a reader has
    -- seen a row: ids are given before commits, and commits come in any order.
    CREATE TABLE changes (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
      kind text COLLATE "C" NOT NULL,
      digest bytea,
      key text COLLATE "C",
      created_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX changes_xid ON changes (xid);

    -- Wakes whoever listens; heard after the commit, once for all that a transaction changed.
    CREATE FUNCTION wake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF EXISTS (SELECT FROM added) THEN PERFORM pg_notify('${schema}.changes', ''); END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER changes_wake AFTER INSERT ON changes
      REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wake();

    -- Triggers, so that no statement of any version or of a hand at the database can narrow a right and forget to say so.
    CREATE FUNCTION tell_token() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, digest) SELECT 'token', secret
        FROM (VALUES (OLD.digest), (OLD.previous_digest)) secrets (secret) WHERE secret IS NOT NULL;
      RETURN NULL;
    END $$;
    CREATE TRIGGER tokens_updated AFTER UPDATE OF ${TOKEN_COLUMNS} ON tokens
      FOR EACH ROW EXECUTE FUNCTION tell_token();

    CREATE FUNCTION tell_tokens() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, digest) SELECT 'token', secret
        FROM gone, LATERAL (VALUES (gone.digest), (gone.previous_digest)) secrets (secret) WHERE secret IS NOT NULL;
      RETURN NULL;
    END $$;
    CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens
      REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION tell_tokens();

    CREATE FUNCTION tell_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, key) VALUES ('user', OLD.id::text);
      RETURN NULL;
    END $$;
    CREATE TRIGGER users_deleted AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell_user();
    CREATE TRIGGER users_updated AFTER UPDATE OF ${USER_COLUMNS} ON users
      FOR EACH ROW EXECUTE FUNCTION tell_user();

    CREATE FUNCTION tell_jwt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, key) VALUES ('jwt', NEW.jti);
      RETURN NULL;
    END $$;
    CREATE TRIGGER jwts_ended AFTER INSERT OR UPDATE OF ended_at ON jwts
      FOR EACH ROW WHEN (NEW.ended_at IS NOT NULL) EXECUTE FUNCTION tell_jwt();

    CREATE FUNCTION tell_jwt_user() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind, key) VALUES ('user', NEW.user_id);
      RETURN NULL;
    END $$;
    CREATE TRIGGER jwt_users_set AFTER INSERT OR UPDATE ON jwt_users
      FOR EACH ROW EXECUTE FUNCTION tell_jwt_user();

    CREATE FUNCTION tell_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO "${schema}".changes (kind) VALUES ('all');
      RETURN NULL;
    END $$;
    CREATE TRIGGER tokens_emptied AFTER TRUNCATE ON tokens FOR EACH STATEMENT EXECUTE FUNCTION tell_all();
    CREATE TRIGGER users_emptied AFTER TRUNCATE ON users FOR EACH STATEMENT EXECUTE FUNCTION tell_all();`
}
