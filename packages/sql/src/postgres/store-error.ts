/** The one place where PostgreSQL's trouble becomes `store_unavailable`, in plain words and with what to do. */
import { isLatchkeyError, LatchkeyError } from 'latchkey'
import { codeOf, isErrorLike } from '../error-like.js'
import { TRANSACTION_POOLER } from './pooler.js'

interface Trouble {
  readonly detail: string
  readonly retryAfterSeconds?: number
}

const AGAIN = { retryAfterSeconds: 1 }
const UNKNOWN_CA = {
  detail:
    'the certificate of the server is not signed by a CA that is trusted here: name the CA file with sslrootcert',
}

/** By SQLSTATE or by the system's word for it; a class of SQLSTATEs (`08…`) by its first two characters. */
const BY_CODE: Readonly<Record<string, Trouble>> = {
  '08': { detail: 'the connection to the server was lost: try again', ...AGAIN },
  '22': { detail: 'the server does not take a value of this call' },
  '26000': { detail: `the server does not know a statement that was prepared: ${TRANSACTION_POOLER}` },
  '42P05': { detail: `the server knows a statement that was not prepared: ${TRANSACTION_POOLER}` },
  '25006': {
    detail:
      'the session is read-only: default_transaction_read_only is on (server, database, user or address), or the server is a replica',
  },
  '28000': { detail: 'the server refuses this user: check the user and pg_hba.conf' },
  '28P01': { detail: 'the server refuses the password: check the URL' },
  '2BP01': {
    detail: 'something outside of Latchkey depends on a table that has to be replaced: drop that first',
  },
  '3D000': { detail: 'there is no such database: create it' },
  '3F000': { detail: 'no such table: run `latchkey migrate`' },
  '40': { detail: 'another transaction was in the way for too long: try again', ...AGAIN },
  '42501': { detail: 'the user of the URL lacks a right: grant it, or run `latchkey migrate` as the owner' },
  '42703': { detail: 'no such column: run `latchkey migrate`' },
  '42P01': { detail: 'no such table: run `latchkey migrate`' },
  '42P07': { detail: 'the schema has tables of another program: give Latchkey a schema of its own' },
  '53100': { detail: 'the disk of the server is full: free some space' },
  '53200': { detail: 'the server is out of memory' },
  '53300': {
    detail: 'the server takes no more connections: lower the pool size or raise max_connections',
    ...AGAIN,
  },
  '54000': { detail: 'a value is too long for its index' },
  '55P03': { detail: 'a lock was held by another transaction for too long: try again', ...AGAIN },
  '57': { detail: 'the server is stopping, starting or was told to stop: try again', ...AGAIN },
  '57014': { detail: 'the server took too long: try again', ...AGAIN },
  '58': { detail: 'the server cannot read or write its files: check its disk' },
  XX: { detail: 'the server has found damage in itself: look into its log' },
  ECONNREFUSED: { detail: 'nobody listens there: check the address, and whether the server runs', ...AGAIN },
  ECONNRESET: { detail: 'the connection to the server was lost: try again', ...AGAIN },
  EPIPE: { detail: 'the connection to the server was lost: try again', ...AGAIN },
  ENOTFOUND: { detail: 'there is no such host: check the URL' },
  EAI_AGAIN: { detail: 'the name of the host cannot be looked up now: try again', ...AGAIN },
  ETIMEDOUT: { detail: 'the server does not answer: try again', ...AGAIN },
  CERT_HAS_EXPIRED: { detail: 'the certificate of the server has expired' },
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
  ERR_TLS_CERT_ALTNAME_INVALID: {
    detail: 'the certificate of the server names another host: use the name that is in the certificate',
  },
  EHOSTUNREACH: { detail: 'no way leads to the server: check the network', ...AGAIN },
  ENETUNREACH: { detail: 'no way leads to the server: check the network', ...AGAIN },
  ENOENT: { detail: 'there is no such socket: check the URL, and whether the server runs', ...AGAIN },
}

/** By message, where the driver has no code of its own. */
const BY_MESSAGE: ReadonlyArray<readonly [pattern: RegExp, trouble: Trouble]> = [
  [
    /^Connection terminated|timeout expired/,
    { detail: 'the connection to the server was lost: try again', ...AGAIN },
  ],
  [
    /timeout exceeded when trying to connect/,
    { detail: 'no connection was free: raise the pool size', ...AGAIN },
  ],
  [
    /Client has encountered a connection error/,
    { detail: 'the connection to the server was lost: try again', ...AGAIN },
  ],
  [/pool after calling end/, { detail: 'the store is closed' }],
  [
    /does not support SSL/,
    { detail: 'the server does not speak TLS: take sslmode out of the URL, or set it up' },
  ],
  [
    /Query read timeout/,
    { detail: 'the answer took longer than query_timeout of the pool or address: try again', ...AGAIN },
  ],
  [/certificate/i, { detail: 'the certificate of the server is not trusted: check it and sslmode' }],
  [/SASL|password must be a string/i, { detail: 'the server asks for a password: put one into the URL' }],
]

/**
 * What to throw instead of `error`: a `LatchkeyError('store_unavailable')` for trouble with the server, and mistakes in
 * a program (a `TypeError`, a refusal) as they are.
 */
export function storeError(error: unknown, place: string): unknown {
  if (!isErrorLike(error) || isLatchkeyError(error) || error.name === 'TypeError') return error
  const code = codeOf(error)
  const trouble =
    refusedStart(error) ??
    BY_CODE[code] ??
    BY_MESSAGE.find(([pattern]) => pattern.test(error.message))?.[1] ??
    (isSqlState(code) ? BY_CODE[code.slice(0, 2)] : undefined)
  if (trouble) return unavailable(place, trouble, error)
  return code === '' ? error : unavailable(place, { detail: error.message.split('\n')[0] ?? '' }, error)
}

/**
 * What a server or a pooler refuses by the rules of the protocol: PgBouncer has this code for nearly everything, and says
 * in its text what it is. It holds no credential.
 */
function refusedStart(error: Error): Trouble | undefined {
  if (codeOf(error) !== '08P01') return undefined
  const [said = ''] = error.message.split('\n')
  const parameter = /^unsupported startup parameter(?: in options)?: (\S+)/.exec(said)?.[1]
  if (parameter === undefined)
    return { detail: `the connection was refused or ended (${said}): try again`, ...AGAIN }
  const remedy = `take it out of the address${parameter === 'options' ? ' and out of PGOPTIONS' : ''}`
  return {
    detail: `the pooler refuses the start-up parameter ${parameter}: ${remedy}, or add it to PgBouncer's ignore_startup_parameters`,
  }
}

/** The refusal for one database; one line, and the same shape everywhere. */
export function unavailable(place: string, { detail, ...more }: Trouble, cause?: unknown): LatchkeyError {
  return new LatchkeyError('store_unavailable', { detail: `${place}: ${detail}`, cause, ...more })
}

const CONSTRAINTS = { FOREIGNKEY: '23503', UNIQUE: '23505' } as const

/** Whether PostgreSQL refused a row by this kind of constraint. */
export function isConstraint(error: unknown, kind: keyof typeof CONSTRAINTS): boolean {
  return codeOf(error) === CONSTRAINTS[kind]
}

/** Whether the server answered, and the connection is as good as before. */
export function isAnswer(error: unknown): boolean {
  const code = codeOf(error)
  return isSqlState(code) && !/^(08|57P|25P03|XX|53[12])/.test(code)
}

/** Whether another transaction was in the way, and the same again can succeed. */
export function isConflict(error: unknown): boolean {
  return ['40001', '40P01'].includes(codeOf(error))
}

/** Whether the connection broke under a statement, so that another one may still work. */
export function isLost(error: unknown): boolean {
  const isSaid = isErrorLike(error) && error.message === 'Connection terminated unexpectedly'
  return isSaid || ['57P01', '57P02', '57P05', '08P01', 'ECONNRESET', 'EPIPE'].includes(codeOf(error))
}

/** Whether the user lacks a right. */
export function isForbidden(error: unknown): boolean {
  return codeOf(error) === '42501'
}

/** Whether a table or its schema is not there. */
export function isMissingTable(error: unknown): boolean {
  return ['42P01', '3F000'].includes(codeOf(error))
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code)
}
