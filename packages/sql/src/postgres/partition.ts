/** Partitions `tokens` by the hash of the digest, with all that belongs to it: one transaction, all or nothing. */
import type { Database } from './database.js'
import { findTokens, onTable, type TokensFound } from './partition-catalogue.js'
import { ADDED_TRIGGERS, functionsText } from './partition-triggers.js'
import type { Runner } from './statements.js'
import { vacuum } from './vacuum.js'

export interface PartitionResult {
  /** How many partitions there were; 1: the table had none. */
  readonly before: number
  readonly partitions: number
  /** How many tokens were copied; 0 where so many partitions were there already. */
  readonly copied: number
}

/** What is bounded here is a copy of very many rows. */
const TIMEOUT_MS = 86_400_000
/** How long the transactions of others are waited for, and how long a caller that is stopped may hold the locks. */
const PATIENCE_MS = 10_000

/**
 * Copies the tokens into a table of so many partitions, which takes the place of the old one. Meanwhile nobody else
 * reads or writes tokens, or changes users.
 *
 * Columns, indexes, triggers, checks, rights and the reference to users are read from the catalogue, so that what a
 * later migration adds comes along. An index is unique only where it has the digest, and nothing leans on the others:
 * ids come from an identity that no statement of ours overrides, one token per user and policy is kept by the lock of
 * `insert-token.ts`, and a previous digest was a unique digest before.
 */
export async function partitionTokens(
  database: Database,
  schema: string,
  partitions: number,
): Promise<PartitionResult> {
  const { result } = await database.transaction(
    async (transaction) => {
      await transaction.run({ sql: lockText(schema) })
      const found = await findTokens(transaction)
      const isDone = found.partitions === partitions
      const copied = isDone ? 0 : await replaceTable(transaction, schema, found, partitions)
      return { before: found.partitions, partitions, copied }
    },
    { lock: `${schema} migrate`, timeoutMs: TIMEOUT_MS },
  )
  if (result.before !== partitions) {
    // So that the first look-ups are answered from the index alone, and planned for as many rows as there are. What
    // fails here undoes nothing: the server does it later by itself.
    await vacuum(database, `VACUUM (ANALYZE) "${schema}".tokens`).catch(() => undefined)
  }
  return result
}

/** Tables in the order in which the deletion of a user takes them, and all at once: a lock that grew could meet another. */
function lockText(schema: string): string {
  return `
    SET LOCAL search_path TO "${schema}";
    -- The catalogue's texts are read as it writes them by default.
    SET LOCAL quote_all_identifiers = off;
    SET LOCAL lock_timeout = ${PATIENCE_MS};
    SET LOCAL idle_in_transaction_session_timeout = ${PATIENCE_MS};
    -- So that a caller who is gone is noticed during a long statement; since version 14.
    SELECT set_config(name, '${PATIENCE_MS}', true) FROM pg_settings WHERE name = 'client_connection_check_interval';
    LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
    LOCK TABLE tokens, token_uses IN ACCESS EXCLUSIVE MODE;
    -- Whoever runs this, what is made belongs to the owner of the table.
    SELECT set_config('role', pg_get_userbyid(relowner), true) FROM pg_class WHERE oid = 'tokens'::regclass`
}

/** Returns how many tokens were copied. */
async function replaceTable(
  transaction: Runner,
  schema: string,
  found: TokensFound,
  partitions: number,
): Promise<number> {
  const names = Array.from({ length: partitions }, (_, number) => `tokens_${number}_of_${partitions}`)
  const columns = found.columns.join(', ')
  // Whatever depends on the table and is not ours is found now, and not after very many rows were copied.
  await transaction.run({
    sql: `SAVEPOINT probe; ${dropText(found)}; ROLLBACK TO probe; ${createText(names)}`,
  })
  const { count } = await transaction.run({
    sql: `INSERT INTO new_tokens (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM tokens`,
  })
  await transaction.run({ sql: swapText(found) })
  await transaction.run({ sql: functionsText(schema) })
  const triggers = found.partitions === 1 ? [...found.triggers, ...ADDED_TRIGGERS] : found.triggers
  // Those for a statement hear of the table that it names: a hand at one partition must be told of too.
  const ofStatements = triggers.filter((text) => text.includes(' FOR EACH STATEMENT '))
  const ofPartitions = names.flatMap((name) => ofStatements.map((text) => onTable(text, name)))
  const all = [...found.indexes, ...found.references, ...triggers, ...ofPartitions, ...found.rights]
  await transaction.run({ sql: all.join(';') })
  return count
}

function createText(names: readonly string[]): string {
  const parts = names.map(
    (name, number) => `
    CREATE TABLE ${name} PARTITION OF new_tokens FOR VALUES WITH (MODULUS ${names.length}, REMAINDER ${number});`,
  )
  return `CREATE TABLE new_tokens (LIKE tokens INCLUDING ALL EXCLUDING INDEXES) PARTITION BY HASH (digest);
    ${parts.join('')}`
}

/** Functions that return rows of the table. This version makes none; the one before it did, for partitions. */
const DROP_LOOK_UPS = 'DROP FUNCTION IF EXISTS token_by_digest(bytea), token_by_previous_digest(bytea)'

function dropText({ referrers }: TokensFound): string {
  const references = referrers.map((name) => `ALTER TABLE token_uses DROP CONSTRAINT ${name}`)
  return [...references, DROP_LOOK_UPS, 'DROP TABLE tokens'].join(';')
}

/** Ids go on where they were. */
function swapText(found: TokensFound): string {
  return `
    SELECT setval(pg_get_serial_sequence('new_tokens', 'id'), last_value, is_called) FROM ${found.sequence};
    ${dropText(found)};
    ALTER TABLE new_tokens RENAME TO tokens;
    ALTER SEQUENCE new_tokens_id_seq RENAME TO tokens_id_seq`
}
