/** The one place where SQLite's trouble becomes `store_unavailable`, in plain words and with what to do. */
import { isLatchkeyError, LatchkeyError } from 'latchkey'
import { codeOf, isErrorLike } from '../error-like.js'

interface Trouble {
  readonly detail: string
  readonly retryAfterSeconds?: number
}

/** By result code; an extended code (`SQLITE_IOERR_WRITE`) has the row of its family. */
const BY_CODE: Readonly<Record<string, Trouble>> = {
  SQLITE_BUSY: {
    detail: 'the database is locked by another process for too long: try again',
    retryAfterSeconds: 1,
  },
  SQLITE_LOCKED: { detail: 'the database is locked by another connection: try again', retryAfterSeconds: 1 },
  SQLITE_FULL: { detail: 'the disk is full: free some space' },
  SQLITE_READONLY: { detail: 'the database is read-only: make the file and its directory writable' },
  SQLITE_CANTOPEN: {
    detail: 'the database cannot be opened: check the path and the rights to its directory',
  },
  SQLITE_PERM: { detail: 'the database may not be opened: check the rights of the file' },
  SQLITE_NOTADB: { detail: 'the file is not an SQLite database: check the path' },
  SQLITE_CORRUPT: { detail: 'the database is damaged: restore a backup' },
  SQLITE_IOERR: { detail: 'the disk failed to read or write: check the disk, its quota and its space' },
  SQLITE_NOMEM: { detail: 'out of memory' },
}

/** By message, where SQLite has no code of its own. */
const BY_MESSAGE: ReadonlyArray<readonly [pattern: RegExp, trouble: Trouble]> = [
  [/^no such table/, { detail: 'no such table: run `latchkey migrate`' }],
  [/^no such column|has no column named/, { detail: 'no such column: run `latchkey migrate`' }],
  [/already exists$/, { detail: 'the file has tables of another program: give Latchkey a file of its own' }],
  [/database connection is not open/, { detail: 'the store is closed' }],
]

/**
 * What to throw instead of `error`: a `LatchkeyError('store_unavailable')` for trouble with the database, and
 * mistakes in a program (a `TypeError`, a refusal) as they are.
 */
export function storeError(error: unknown, path: string): unknown {
  if (!isErrorLike(error) || isLatchkeyError(error)) return error
  const trouble = byCode(error) ?? BY_MESSAGE.find(([pattern]) => pattern.test(error.message))?.[1]
  if (trouble) return unavailable(path, trouble, error)
  return isSqliteError(error) ? unavailable(path, { detail: error.message }, error) : error
}

/** The refusal for one file; one line, and the same shape everywhere. */
export function unavailable(path: string, { detail, ...more }: Trouble, cause?: unknown): LatchkeyError {
  return new LatchkeyError('store_unavailable', { detail: `${path}: ${detail}`, cause, ...more })
}

/** Whether SQLite refused a row by this kind of constraint. */
export function isConstraint(error: unknown, kind: 'FOREIGNKEY' | 'UNIQUE' | 'PRIMARYKEY'): boolean {
  return codeOf(error) === `SQLITE_CONSTRAINT_${kind}`
}

function byCode(error: unknown): Trouble | undefined {
  return BY_CODE[codeOf(error).split('_').slice(0, 2).join('_')]
}

/** By its code: the driver's error class is another one in each realm. */
function isSqliteError(error: unknown): boolean {
  return codeOf(error).startsWith('SQLITE_')
}
