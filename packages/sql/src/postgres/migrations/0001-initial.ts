/** Migration 0001 on PostgreSQL: users, tokens, sessions and counters. Never edited once released. */

export function up(): string {
  return `
    CREATE TABLE users (
      -- Identities are never given twice: an id in an old log line must never come to mean somebody else.
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      username text COLLATE "C" NOT NULL UNIQUE,
      email text NOT NULL,
      password_hash text NOT NULL,
      password_version integer NOT NULL DEFAULT 0,
      is_active boolean NOT NULL,
      is_staff boolean NOT NULL,
      is_superuser boolean NOT NULL,
      date_joined bigint NOT NULL,
      last_login bigint
    ) WITH (fillfactor = 90);

    -- A token is one of our user's, or one of a user of the app's own, whose id is written as JSON: 7 is not "7".
    -- slot is 0 or null, and nulls are distinct: one token per user and policy, or any number.
    CREATE TABLE tokens (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      policy text COLLATE "C" NOT NULL,
      user_id bigint REFERENCES users ON DELETE CASCADE,
      external_user text COLLATE "C",
      slot smallint,
      digest bytea NOT NULL,
      hint text COLLATE "C" NOT NULL,
      sealed bytea,
      name text NOT NULL,
      created_at bigint NOT NULL,
      expires_at bigint,
      CHECK (num_nonnulls(user_id, external_user) = 1)
    );
    CREATE UNIQUE INDEX tokens_digest ON tokens (digest);
    CREATE UNIQUE INDEX tokens_one_per_user ON tokens (user_id, policy, slot) WHERE user_id IS NOT NULL;
    CREATE UNIQUE INDEX tokens_one_per_external_user ON tokens (external_user, policy, slot)
      WHERE external_user IS NOT NULL;

    CREATE TABLE sessions (
      digest bytea PRIMARY KEY,
      user_id bigint REFERENCES users ON DELETE CASCADE,
      external_user text COLLATE "C",
      password_version integer NOT NULL,
      created_at bigint NOT NULL,
      expires_at bigint NOT NULL,
      CHECK (num_nonnulls(user_id, external_user) = 1)
    );
    CREATE INDEX sessions_user_id ON sessions (user_id) WHERE user_id IS NOT NULL;
    CREATE INDEX sessions_expires_at ON sessions (expires_at);

    -- The key is a digest, because keys are of any length; times may be fractions, because periods may be.
    CREATE TABLE counter_events (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      key bytea NOT NULL,
      at double precision NOT NULL,
      ends_at double precision NOT NULL
    );
    CREATE INDEX counter_events_key_at ON counter_events (key, at);
    CREATE INDEX counter_events_ends_at ON counter_events (ends_at);`
}
