/** Migration 0002 on PostgreSQL: refresh and sliding JWTs, and since when a user's count. Never edited once released. */

export function up(): string {
  return `
    -- No reference to users: a token of a user who is gone can still be revoked, and must stay so. user_id is an id as
    -- JSON, of our users and of others.
    CREATE TABLE jwts (
      jti text COLLATE "C" PRIMARY KEY,
      family text COLLATE "C" NOT NULL,
      user_id text COLLATE "C" NOT NULL,
      issued_at bigint NOT NULL,
      expires_at bigint NOT NULL,
      ended_at bigint,
      successor_jti text COLLATE "C"
    );
    CREATE INDEX jwts_family ON jwts (family);
    CREATE INDEX jwts_user_id ON jwts (user_id);
    CREATE INDEX jwts_expires_at ON jwts (expires_at);

    CREATE TABLE jwt_users (
      user_id text COLLATE "C" PRIMARY KEY,
      not_before bigint NOT NULL
    );`
}
