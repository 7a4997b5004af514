/**
 * The statements of an import of users that both engines share. Rows are kept in a temporary table, in which any number of
 * them fits, and compared with the users in one statement.
 */
import type { UserImportOutcome, UserImportReason } from 'latchkey'

const MAX_CONFLICTS = 100

/** The columns of the temporary table that are those of `users`. */
const COLUMNS =
  'id, username, email, password_hash, is_active, is_staff, is_superuser, date_joined, last_login'

export interface ImportNames {
  /** The temporary table. */
  readonly staged: string
  readonly users: string
  /** The highest id that was ever given, as the engine writes a parameter: `?` or `$1`. */
  readonly lastId: string
}

/** Each row with what is in its way. */
function judged({ staged, users, lastId }: ImportNames): string {
  return `
    SELECT row.position, row.label, row.id, row.username, by_id.id AS existing,
      CASE
        WHEN row.id_copy > 1 THEN 'duplicate_id'
        WHEN row.name_copy > 1 THEN 'duplicate_username'
        WHEN by_id.username <> row.username THEN 'id_taken'
        WHEN by_name.id <> row.id THEN 'username_taken'
        WHEN by_id.id IS NULL AND row.id <= ${lastId} THEN 'id_used'
      END AS reason
    FROM (
      SELECT position, label, id, username,
        row_number() OVER (PARTITION BY id ORDER BY position) AS id_copy,
        row_number() OVER (PARTITION BY username ORDER BY position) AS name_copy
      FROM ${staged}
    ) AS row
    LEFT JOIN ${users} AS by_id ON by_id.id = row.id
    LEFT JOIN ${users} AS by_name ON by_name.username = row.username`
}

export function conflictsText(names: ImportNames): string {
  return `SELECT position, label, id, username, reason FROM (${judged(names)}) AS judged
    WHERE reason IS NOT NULL ORDER BY position LIMIT ${MAX_CONFLICTS}`
}

export function countsText(names: ImportNames): string {
  return `SELECT
      count(*) FILTER (WHERE reason IS NOT NULL) AS conflicts,
      count(*) FILTER (WHERE reason IS NULL AND existing IS NULL) AS created,
      count(*) FILTER (WHERE reason IS NULL AND existing IS NOT NULL) AS unchanged
    FROM (${judged(names)}) AS judged`
}

/** @param overriding what the engine needs for ids of the caller's own */
export function insertText({ staged, users }: ImportNames, overriding = ''): string {
  return `INSERT INTO ${users} (${COLUMNS}) ${overriding}
    SELECT ${COLUMNS} FROM ${staged} AS row
    WHERE NOT EXISTS (SELECT 1 FROM ${users} AS by_id WHERE by_id.id = row.id) ORDER BY id`
}

export interface ConflictRow {
  readonly position: number
  readonly label: string
  readonly id: number
  readonly username: string
  readonly reason: UserImportReason
}

export interface CountsRow {
  readonly conflicts: number
  readonly created: number
  readonly unchanged: number
}

export function outcomeOf(
  { conflicts: conflictCount, created, unchanged }: CountsRow,
  conflicts: readonly ConflictRow[],
): UserImportOutcome {
  return {
    created,
    unchanged,
    conflictCount,
    conflicts: conflicts.map(({ label: at, ...row }) => ({ at, ...row })),
  }
}
