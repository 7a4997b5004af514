/** Migration 0008 on PostgreSQL: addresses of successful logins, and an index of the costs of stored hashes. Never edited once released. */
import { HASH_COST_POSTGRES } from '../../migrations/hash-cost.js'

export function up(): string {
  return `
    CREATE TABLE login_addresses (
      digest bytea PRIMARY KEY,
      user_id bigint REFERENCES users ON DELETE CASCADE,
      external_user text COLLATE "C",
      expires_at bigint NOT NULL,
      CHECK (num_nonnulls(user_id, external_user) = 1)
    );
    CREATE INDEX login_addresses_user_id ON login_addresses (user_id) WHERE user_id IS NOT NULL;
    CREATE INDEX login_addresses_external_user ON login_addresses (external_user) WHERE external_user IS NOT NULL;
    CREATE INDEX login_addresses_expires_at ON login_addresses (expires_at);
    CREATE INDEX users_hash_cost ON users ((${HASH_COST_POSTGRES}));`
}
