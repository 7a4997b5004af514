/** `Authorization: Token <secret>`: DRF's `TokenAuthentication`. Reads the header; the token service decides. */
import { LatchkeyError } from '../errors.js'
import type { Identity } from '../identity.js'
import {
  BOOLEAN,
  checkAnswer,
  checkOptions,
  HTTP_TOKEN,
  hasMethods,
  listOf,
  OPTIONS,
  type Rules,
  TEXT,
} from '../options.js'
import type { Services } from '../services.js'
import { isThenable } from '../thenable.js'
import { isPrintable } from '../tokens/token-format.js'
import type { Authenticator, CredentialRequest } from './authenticator.js'
import { behindKeyword, readAuthorization } from './authorization-header.js'
import type { KeywordClaim } from './keyword-claim.js'

/** Credentials of another kind that stand behind the same keyword, told apart by their shape: JWTs. */
export interface SecretKind {
  /** Whether a credential has this kind's shape. Pure, and cheap for hostile text of any length. */
  recognises(secret: string): boolean
  /** Whose it is. Throws (or rejects with) `authentication_failed`: what is recognised is tried nowhere else. */
  verify(secret: string, services: Services): Identity | Promise<Identity>
}

export interface TokenAuthenticationOptions {
  /** What stands before the secret, compared without case, and is the challenge. Default is `Token`. */
  readonly keyword?: string
  /**
   * Names of the token policies that are accepted: `['authtoken', 'knox']` takes both under one keyword, as a token
   * of any shape is found by its digest. Default is `['authtoken']`.
   */
  readonly policies?: readonly string[]
  /** Asked first, in order, by the shape of the credential. Default is none. */
  readonly kinds?: readonly SecretKind[]
}

/** @throws TypeError that names the option, for every option that cannot work */
export function tokenAuthentication(options: TokenAuthenticationOptions = {}): Authenticator {
  const own = checkOptions('tokenAuthentication', options, RULES)
  const { keyword = 'Token', kinds = [] } = own
  const policies = new Set(own.policies ?? ['authtoken'])
  const lowerCaseKeyword = keyword.toLowerCase()

  return Object.freeze({
    name: 'TokenAuthentication',
    challenge: keyword,
    keywordClaim: tokenClaim(options, keyword),
    authenticate(request, services) {
      const header = request.header('authorization')
      if (header === undefined) return null
      const start = behindKeyword(header, keyword)
      if (start > 0 && kinds.length === 0) {
        const identity = services.tokens.verifyBehind(header, start, policies, request)
        if (identity !== undefined) return identity
      }
      // Kinds are told by the secret alone.
      const isUsual = kinds.length > 0 && start > 0 && isPrintable(header, start)
      const secret = isUsual ? header.slice(start) : readSecret(request, lowerCaseKeyword)
      if (secret === null) return null
      for (const kind of kinds) {
        if (recognises(kind, secret)) return verifiedBy(kind, secret, services)
      }
      return services.tokens.verify(secret, policies, request)
    },
  } satisfies Authenticator)
}

function tokenClaim(options: TokenAuthenticationOptions, keyword: string): KeywordClaim {
  const { kinds = [], policies = ['authtoken'] } = options
  return Object.freeze({
    keywords: Object.freeze([keyword]),
    hasCase: false,
    recognises: (secret: string) => kinds.some((kind) => kind.recognises(secret)),
    // What shapes these kinds have only they know: a list is not refused for them.
    sample: null,
    policies: Object.freeze([...policies]),
    isElsewhere: kinds.length > 0,
    withPolicies: (others: readonly string[]) => tokenAuthentication({ ...options, policies: others }),
    advice: `tokenAuthentication({ keyword: '${keyword}', policies: ['${policies.join("', '")}', …] })`,
  })
}

const RULES: Rules<TokenAuthenticationOptions> = Object.freeze({
  keyword: HTTP_TOKEN,
  policies: listOf('names of policies', TEXT.holds),
  kinds: listOf('kinds of secrets, such as jwtKind()', hasMethods('recognises', 'verify')),
})

function recognises(kind: SecretKind, secret: string): boolean {
  const answer = kind.recognises(secret)
  checkAnswer('kinds: recognises()', answer, BOOLEAN)
  return answer
}

/** A kind that has recognised a credential must say whose it is: without an identity, the next authenticator would be asked. */
function verifiedBy(kind: SecretKind, secret: string, services: Services): Identity | Promise<Identity> {
  const answer = kind.verify(secret, services)
  return isThenable(answer) ? requireIdentityLater(answer) : requireIdentity(answer)
}

async function requireIdentityLater(answer: PromiseLike<Identity>): Promise<Identity> {
  return requireIdentity(await answer)
}

function requireIdentity(answer: Identity): Identity {
  checkAnswer('kinds: verify()', answer, OPTIONS)
  return answer
}

/** The credential, if the header is of this scheme; DRF's words for what is wrong with it. */
function readSecret(request: CredentialRequest, lowerCaseKeyword: string): string | null {
  const parts = readAuthorization(request, lowerCaseKeyword)
  if (parts === null) return null
  const [secret] = parts
  if (secret === undefined) throw failed('Invalid token header. No credentials provided.')
  if (parts.length > 1) throw failed('Invalid token header. Token string should not contain spaces.')
  if (!isUtf8(secret))
    throw failed('Invalid token header. Token string should not contain invalid characters.')
  return secret
}

function failed(message: string): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message })
}

const NOT_ASCII = /[\u0080-\u00ff]/

/** Header text is one character per byte: whether those bytes are UTF-8. */
function isUtf8(text: string): boolean {
  if (!NOT_ASCII.test(text)) return true
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(text, 'latin1'))
    return true
  } catch {
    return false
  }
}
