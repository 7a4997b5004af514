/** What belongs to the table `tokens`, as the server's catalogue has it: read by `partition.ts`, to be made again. */
import type { Runner } from './statements.js'

/** The table as it is found. */
export interface TokensFound {
  /** How many partitions it has; 1: it is an ordinary table. */
  readonly partitions: number
  /** Those that are written; the server computes the others. */
  readonly columns: readonly string[]
  /** The sequence of its ids. */
  readonly sequence: string
  /** Of `token_uses` to it: no table can refer to a column that is not unique by itself. */
  readonly referrers: readonly string[]
  /** Statements that make what a copy of the table lacks, in their order. */
  readonly indexes: readonly string[]
  readonly references: readonly string[]
  readonly triggers: readonly string[]
  readonly rights: readonly string[]
}

/** Reads the table of the schema that comes first in the search path. */
export async function findTokens(transaction: Runner): Promise<TokensFound> {
  const textsOf = async (sql: string) => {
    const { rows } = await transaction.run<{ readonly text: string }>({ sql })
    return rows.map(({ text }) => text)
  }
  const [sequence = ''] = await textsOf(`SELECT pg_get_serial_sequence('tokens', 'id') AS text`)
  const partitions = await textsOf(
    `SELECT inhrelid::text AS text FROM pg_inherits WHERE inhparent = 'tokens'::regclass`,
  )
  return {
    partitions: Math.max(partitions.length, 1),
    columns: await textsOf(COLUMNS),
    sequence,
    referrers: await textsOf(REFERRERS),
    indexes: (await textsOf(INDEXES)).map((text) => onTable(text, 'tokens')),
    references: await textsOf(REFERENCES),
    triggers: await textsOf(TRIGGERS),
    rights: await textsOf(RIGHTS),
  }
}

/** The definition of an index or a trigger of `tokens`, for another table. That of a partitioned index says ONLY. */
export function onTable(definition: string, table: string): string {
  return definition.replace(/ ON (ONLY )?(\S+\.)?tokens(?=\s)/, ` ON ${table}`)
}

const COLUMNS = `SELECT quote_ident(attname) AS text FROM pg_attribute
  WHERE attrelid = 'tokens'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`

/** Unique only where the digest is among the columns: rows are parted by it, and a partition knows of no other. */
const INDEXES = `
  SELECT CASE WHEN (SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = 'digest')
      = ANY (indkey[0:indnkeyatts - 1]) THEN pg_get_indexdef(indexrelid)
    ELSE replace(pg_get_indexdef(indexrelid), 'CREATE UNIQUE INDEX', 'CREATE INDEX') END AS text
  FROM pg_index WHERE indrelid = 'tokens'::regclass ORDER BY indexrelid`

const REFERENCES = `SELECT format('ALTER TABLE tokens ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) AS text
  FROM pg_constraint WHERE conrelid = 'tokens'::regclass AND contype = 'f' ORDER BY conname`

const REFERRERS = `SELECT DISTINCT quote_ident(conname) AS text FROM pg_constraint
  WHERE conrelid = 'token_uses'::regclass AND confrelid = 'tokens'::regclass AND contype = 'f'`

const TRIGGERS = `SELECT pg_get_triggerdef(oid) AS text
  FROM pg_trigger WHERE tgrelid = 'tokens'::regclass AND NOT tgisinternal ORDER BY tgname`

const RIGHTS = `
  SELECT format('GRANT %s ON tokens TO %s%s', privilege_type,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
    CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS text
  FROM pg_class, aclexplode(relacl) WHERE pg_class.oid = 'tokens'::regclass AND grantee <> relowner`
