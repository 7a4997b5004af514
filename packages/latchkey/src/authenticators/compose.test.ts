/** Lists in which several authenticators share a keyword of `Authorization`. */
import { expect, it } from 'vitest'
import { knox } from '../endpoints/knox.js'
import { personalTokens } from '../endpoints/personal-tokens.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from '../views/api-view.js'
import type { Authenticator } from './authenticator.js'
import { basicAuthentication } from './basic.js'
import { composeAuthenticators } from './compose.js'
import { jwtAuthentication, jwtKind, jwtStatelessUserAuthentication } from './jwt.js'
import { tokenAuthentication } from './token.js'

const options = {
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  policies: [knox().policy, personalTokens().policy],
  jwt: { signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }) },
} as const
const issuer = createLatchkey(options)
const token = () => tokenAuthentication({ keyword: 'Bearer' })
const knoxTokens = () => knox({ headerPrefix: 'Bearer' }).authentication
const personal = () => personalTokens().authentication
const jwt = () => jwtAuthentication()

async function ask(latchkey: Latchkey, authorization: string): Promise<string> {
  for (const temperature of ['cold', 'hot']) {
    const { identity, refusal } = await latchkey.gate([isAuthenticated])(
      fakeRequest({ headers: { authorization } }),
    )
    if (identity === null) return String(JSON.parse(String(refusal.body)).detail)
    if (temperature === 'hot') return identity.user.username
  }
  return expect.unreachable()
}

function permutations<T>(all: readonly T[]): T[][] {
  return all.length < 2
    ? [[...all]]
    : all.flatMap((one, at) =>
        permutations(all.filter((_, index) => index !== at)).map((rest) => [one, ...rest]),
      )
}

it('gives each credential behind a shared keyword to the authenticator that takes it, in any order', async () => {
  const user = await issuer.users.create({ username: 'vitor' })
  const foreign = 'imported from another system'.replaceAll(' ', '-')
  await issuer.tokens.import({ user, policy: 'personal', secret: foreign })
  const secrets = {
    authtoken: (await issuer.tokens.getOrCreate({ user })).secret.reveal(),
    knox: (await issuer.tokens.issue({ user, policy: 'knox' })).secret.reveal(),
    personal: (await issuer.tokens.issue({ user, policy: 'personal' })).secret.reveal(),
    jwt: (await issuer.jwts?.issuePair(user))?.access ?? '',
    foreign,
  }
  for (const authentication of permutations<Authenticator>([token(), knoxTokens(), personal(), jwt()])) {
    const latchkey = createLatchkey({ ...options, authentication })
    for (const [kind, secret] of Object.entries(secrets)) {
      expect([kind, await ask(latchkey, `Bearer ${secret}`)]).toEqual([kind, 'vitor'])
      expect([kind, await ask(latchkey, `Bearer ${secret}x`)]).not.toEqual([kind, 'vitor'])
    }
    expect(await ask(latchkey, 'Bearer nonsense')).toBe('Invalid token.')
    expect(await ask(latchkey, 'Bearer a.b.c')).toBe('Given token not valid for any token type')
    expect(await ask(latchkey, `Token ${secrets.authtoken}`)).toBe(
      'Authentication credentials were not provided.',
    )
  }
})

it('accepts no policy that no authenticator of the list names', async () => {
  const user = await issuer.users.create({ username: 'ana' })
  const secret = (await issuer.tokens.issue({ user, policy: 'knox' })).secret.reveal()
  const latchkey = createLatchkey({ ...options, authentication: [token(), personal(), jwt()] })
  expect(await ask(latchkey, `Bearer ${secret}`)).toBe('Invalid token.')
})

it('compares keywords as each authenticator does', async () => {
  const user = await issuer.users.create({ username: 'eva' })
  const { access = '' } = (await issuer.jwts?.issuePair(user)) ?? {}
  const { secret } = await issuer.tokens.getOrCreate({ user })
  const authentication = [tokenAuthentication({ keyword: 'bearer' }), jwt()]
  const latchkey = createLatchkey({ ...options, authentication })
  expect(await ask(latchkey, `Bearer ${access}`)).toBe('eva')
  // simplejwt's keywords have their case, DRF's have not.
  expect(await ask(latchkey, `bearer ${access}`)).toBe('Invalid token.')
  expect(await ask(latchkey, `BEARER ${secret.reveal()}`)).toBe('eva')
})

it('leaves malformed headers to the first, and other schemes alone', async () => {
  const latchkey = createLatchkey({ ...options, authentication: [token(), jwt(), basicAuthentication()] })
  expect(await ask(latchkey, 'Bearer')).toBe('Invalid token header. No credentials provided.')
  expect(await ask(latchkey, 'Bearer a.b.c d')).toBe(
    'Invalid token header. Token string should not contain spaces.',
  )
  expect(await ask(latchkey, 'Basic !')).toBe('Invalid username/password.')
})

const UNREACHABLE: Readonly<Record<string, readonly Authenticator[]>> = {
  'the same tokens twice': [token(), token()],
  'tokens of policies that are taken': [
    tokenAuthentication({ policies: ['authtoken', 'knox'] }),
    tokenAuthentication({ keyword: 'token', policies: ['knox'] }),
  ],
  'tokens that two before take together': [
    token(),
    personal(),
    tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'personal'] }),
  ],
  'JWTs twice': [jwt(), jwtAuthentication({ tokenTypes: ['sliding'] })],
  'JWTs with and without a look-up': [jwt(), jwtStatelessUserAuthentication()],
  'JWTs that are a kind already': [tokenAuthentication({ keyword: 'Bearer', kinds: [jwtKind()] }), jwt()],
  'passwords twice': [basicAuthentication(), basicAuthentication({ realm: 'other' })],
}

it.each(Object.entries(UNREACHABLE))('refuses a list that cannot work: %s', (_, authentication) => {
  const refusal = /^authentication: \w+ can never be reached: .*use one for both: \w+Authentication\(/
  expect(() => createLatchkey({ ...options, authentication })).toThrow(refusal)
  expect(() => apiView({ authentication, get: () => null })).toThrow(refusal)
})

it.each([
  [[tokenAuthentication(), jwt(), basicAuthentication()]],
  [[jwt(), jwtAuthentication({ header: 'X-Token' })]],
  [[jwt(), jwtAuthentication({ cookies: true })]],
  [[jwt(), jwtAuthentication({ headerTypes: ['Bearer', 'JWT'] })]],
])('takes a list in which each can be reached', (authentication) => {
  expect(() => createLatchkey({ ...options, authentication })).not.toThrow()
})

it('costs a list without a shared keyword nothing: its authenticators are asked themselves', () => {
  const list = [tokenAuthentication(), jwt(), basicAuthentication()]
  const composed = composeAuthenticators(list)
  expect(composed).toEqual(list)
  for (const [index, one] of composed.entries()) expect(one).toBe(list[index])
})
