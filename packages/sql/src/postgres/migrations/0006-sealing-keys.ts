/**
 * Migration 0006 on PostgreSQL: the register of sealing keys, and the end of seals of format 1. Never edited once
 * released. A node of the version before goes on to verify, and is refused when it seals.
 */

export function up(schema: string): string {
  return `
    CREATE TABLE sealing_keys (key_id text COLLATE "C" PRIMARY KEY);
    -- format (1 byte) | key id (4) | nonce (12) | ciphertext | tag (16)
    INSERT INTO sealing_keys (key_id)
      SELECT encode(substring(sealed FROM 2 FOR 4), 'hex') FROM tokens WHERE length(sealed) >= 33
      UNION SELECT encode(substring(sealed FROM 2 FOR 4), 'hex') FROM signing_keys WHERE length(sealed) >= 33;
    CREATE TRIGGER sealing_keys_changed AFTER INSERT OR DELETE ON sealing_keys
      FOR EACH ROW EXECUTE FUNCTION "${schema}".tell_keys();

    CREATE FUNCTION refuse_old_seal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'the database is newer than this version of latchkey: upgrade it, and restart this process';
    END $$;
    ${['tokens', 'signing_keys']
      .map(
        (table) => `
    CREATE TRIGGER ${table}_sealed AFTER INSERT OR UPDATE OF sealed ON ${table} FOR EACH ROW
      WHEN (length(NEW.sealed) >= 33 AND substring(NEW.sealed FROM 1 FOR 1) = decode('01', 'hex'))
      EXECUTE FUNCTION refuse_old_seal();`,
      )
      .join('')}`
}
