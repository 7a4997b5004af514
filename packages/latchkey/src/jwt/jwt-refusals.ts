/** In which words JWTs, and those who log in for them, are refused: simplejwt's. The JWT service and its parts throw them. */
import { LatchkeyError } from '../errors.js'
import { type ClaimFault, claimMessage } from './claims.js'
import type { JwtType } from './jwt-options.js'

/** `InvalidToken`. `claim`: the name of the expiry claim, for the two faults about it. */
export function refused(fault: ClaimFault, claim?: string): LatchkeyError {
  return refusal(claimMessage(fault, claim), 'token_not_valid')
}

/** What each of the types that were tried said. */
export function refusedByAll(
  tries: ReadonlyArray<readonly [type: JwtType, error: LatchkeyError]>,
): LatchkeyError {
  const messages = tries.map(([type, { publicMessage }]) => ({
    token_class: TOKEN_CLASSES[type],
    token_type: type,
    message: publicMessage,
  }))
  return refusal('Given token not valid for any token type', 'token_not_valid', { messages })
}

/** simplejwt's class names, which its refusals show. */
const TOKEN_CLASSES: Readonly<Record<JwtType, string>> = Object.freeze({
  access: 'AccessToken',
  refresh: 'RefreshToken',
  sliding: 'SlidingToken',
})

export function namesNobody(): LatchkeyError {
  return refusal('Token contained no recognizable user identification', 'token_not_valid')
}

export function userNotFound(): LatchkeyError {
  return refusal('User not found', 'user_not_found')
}

export function userInactive(): LatchkeyError {
  return refusal('User is inactive', 'user_inactive')
}

/** To whoever logs in or refreshes: whether unknown, inactive or unwanted is not said. */
export function noActiveAccount(proof: 'credentials' | 'token'): LatchkeyError {
  const which = proof === 'credentials' ? 'with the given credentials' : 'for the given token.'
  return new LatchkeyError('authentication_failed', { message: `No active account found ${which}` })
}

function refusal(message: string, code: string, more: Readonly<Record<string, unknown>> = {}): LatchkeyError {
  return new LatchkeyError('authentication_failed', { message, extra: { code, ...more } })
}
