/**
 * Signs and verifies JWTs as compact JSON Web Signatures (RFC 7515, 7.1), synchronously. The JWT service calls it, then
 * looks at the claims (`claims.ts`); what is wrong with a token is for logs, never for its bearer.
 */
import { brandError, JWS_ERROR_BRAND } from '../brand.js'
import { isJwsAlgorithm, type JwsAlgorithm, signText, verifyText } from './algorithms.js'
import { type JsonObject, readJsonObject } from './json-object.js'
import { MAX_KID_LENGTH, type SigningKey, type VerifyingKey } from './signing-key.js'

/** Longer tokens are refused before anything is decoded; servers take headers of 8 to 16 kB. */
export const MAX_TOKEN_LENGTH = 8192

/** Why a token was refused. Never shown: all of them are one answer. */
export type JwsFault =
  | 'too_long'
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'unknown_key'
  | 'signature'
  | 'payload'

export class JwsError extends Error {
  // A field, for an assignment fails where a program has frozen Error.prototype.
  override readonly name: string = 'JwsError'
  readonly reason: JwsFault

  constructor(reason: JwsFault) {
    super(`The token is refused: ${reason}`)
    brandError(this, JWS_ERROR_BRAND)
    this.reason = reason
  }
}

/** The verified header. Members beyond these are untouched; `typ` is as the signer wrote it. */
export interface JwsHeader extends JsonObject {
  readonly alg: JwsAlgorithm
  readonly kid?: string
}

export interface VerifiedJws {
  readonly header: JwsHeader
  /** As signed: an object, whose values nothing has checked yet. Read names that a setting gave with `Object.hasOwn`. */
  readonly payload: JsonObject
}

/** The keys that may verify: a list, or a look-up by the header that has not been verified yet. */
export type JwsKeys = readonly VerifyingKey[] | ((header: JwsHeader) => readonly VerifyingKey[])

/**
 * A signed token: the header is `{"alg":…,"typ":"JWT"}`, with the `kid` of the key if it has one; the payload is compact
 * JSON in the order of its names.
 *
 * @throws TypeError for a payload that `verifyJws` would refuse: no object, a number beyond 2^53, more than 32 levels,
 *   or so large that the token would have more than 8192 characters
 */
export function signJws(payload: JsonObject, key: SigningKey): string {
  const payloadText = encode(payload)
  if (readJsonObject(payloadText) === undefined) {
    throw new TypeError('payload: must be an object of exact numbers and at most 32 levels')
  }
  // JSON leaves out what is undefined.
  const signedText = `${encode({ alg: key.algorithm, typ: 'JWT', kid: key.kid })}.${payloadText}`
  const token = `${signedText}.${signText(key.algorithm, key.signWith, signedText).toString('base64url')}`
  if (token.length <= MAX_TOKEN_LENGTH) return token
  throw new TypeError(`payload: the token would have more than ${MAX_TOKEN_LENGTH} characters`)
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url')
}

/** RFC 7515, 7.1: three segments of base64url without padding. `\w` is its alphabet but for the hyphen. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/**
 * What a token says, if one of the keys signed it. A key serves tokens of its own algorithm only, and of its own `kid`
 * where both have one; the payload is not read before its signature was right. Times and other claims are not looked at.
 *
 * @param maxLength characters
 * @throws JwsError for every text that is not such a token, and nothing else
 */
export function verifyJws(token: string, keys: JwsKeys, maxLength: number = MAX_TOKEN_LENGTH): VerifiedJws {
  if (token.length > maxLength) throw new JwsError('too_long')
  if (!COMPACT.test(token)) throw new JwsError('malformed')
  const [payloadAt, signatureAt] = [token.indexOf('.') + 1, token.lastIndexOf('.') + 1]
  const header = readHeader(token.slice(0, payloadAt - 1))
  const signedText = token.slice(0, signatureAt - 1)
  const signature = token.slice(signatureAt)
  requireSignature(typeof keys === 'function' ? keys(header) : keys, header, signedText, signature)
  const payload = readJsonObject(token.slice(payloadAt, signatureAt - 1))
  if (payload === undefined) throw new JwsError('payload')
  return { header, payload }
}

/**
 * `crit` and `b64` change what a signature means (RFC 7515, 4.1.11; RFC 7797), the others bring a key along (RFC 8725,
 * 3.10): nobody who talks to us has a reason to send one.
 */
const REFUSED_MEMBERS = ['crit', 'b64', 'jku', 'jwk', 'x5u', 'x5c']

let lastHeader: { readonly segment: string; readonly header: JwsHeader } | undefined

/** Nearly all tokens that a server meets share one header, so the last one is kept: a sixth of the work is saved. */
function readHeader(segment: string): JwsHeader {
  if (lastHeader?.segment === segment) return lastHeader.header
  const header = Object.freeze(parseHeader(segment))
  lastHeader = { segment, header }
  return header
}

function parseHeader(segment: string): JwsHeader {
  const header = readJsonObject(segment)
  if (header === undefined || REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) {
    throw new JwsError('header')
  }
  const { alg, kid } = header
  if (!isJwsAlgorithm(alg)) throw new JwsError('algorithm')
  if (kid === undefined) return { ...header, alg }
  if (typeof kid !== 'string' || kid.length > MAX_KID_LENGTH) throw new JwsError('header')
  return { ...header, alg, kid }
}

/** By any key of the token's algorithm and, where both have one, of its `kid`. */
function requireSignature(
  offered: readonly VerifyingKey[],
  { alg, kid }: JwsHeader,
  text: string,
  signature: string,
): void {
  let fault: JwsFault = offered.length === 0 ? 'unknown_key' : 'algorithm'
  for (const key of offered) {
    if (key.algorithm !== alg) continue
    if (kid !== undefined && key.kid !== undefined && key.kid !== kid) {
      if (fault === 'algorithm') fault = 'unknown_key'
      continue
    }
    if (isSignature(key, text, signature)) return
    fault = 'signature'
  }
  throw new JwsError(fault)
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * RFC 7515, 2 and RFC 4648, 3.5: a token has one text. The last character of a signature may have bits that decode to
 * nothing; they must be zero, else a token that was remembered by its text would come again in another spelling.
 */
function isSignature(key: VerifyingKey, text: string, signature: string): boolean {
  if (signature.length !== Math.ceil((key.signatureBytes * 4) / 3)) return false
  const unusedBits = (signature.length * 6) % 8
  if ((BASE64URL.indexOf(signature.charAt(signature.length - 1)) & ((1 << unusedBits) - 1)) !== 0)
    return false
  return verifyText(key.algorithm, key.verifyWith, text, Buffer.from(signature, 'base64url'))
}
