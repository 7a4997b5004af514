import { expect, it } from 'vitest'
import { knox } from '../endpoints/knox.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey } from '../latchkey.js'
import { allowAny } from '../permissions/allow-any.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from '../views/api-view.js'
import type { Authenticator } from './authenticator.js'
import { jwtAuthentication, jwtKind, jwtStatelessUserAuthentication } from './jwt.js'
import { tokenAuthentication } from './token.js'

const knoxTokens = knox()
const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  policies: [knoxTokens.policy],
  jwt: { signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }) },
})
const kinds = [jwtKind()]
const everything = tokenAuthentication({ keyword: 'Bearer', policies: ['authtoken', 'knox'], kinds })

const ask = async (authentication: Authenticator, value: string) => {
  const view = apiView({ authentication: [authentication], get: ({ user }) => ({ user: user?.username }) })
  const { status, body } = await latchkey.handler(view)(fakeRequest({ headers: { authorization: value } }))
  return { status, ...(JSON.parse(String(body)) as { user?: string; detail?: string; code?: string }) }
}

it('takes authtoken, knox and JWT side by side under one keyword', async () => {
  const user = await latchkey.users.create({ username: 'vitor' })
  const authtoken = (await latchkey.tokens.getOrCreate({ user })).secret.reveal()
  const knoxToken = (await latchkey.tokens.issue({ user, policy: 'knox' })).secret.reveal()
  const pair = await latchkey.jwts?.issuePair(user)
  for (const secret of [authtoken, knoxToken, pair?.access]) {
    expect(await ask(everything, `Bearer ${secret}`)).toEqual({ status: 200, user: 'vitor' })
  }
  for (const secret of ['nonsense', `${authtoken}x`]) {
    expect(await ask(everything, `Bearer ${secret}`)).toEqual({ status: 401, detail: 'Invalid token.' })
  }
  for (const secret of ['a.b.c', pair?.refresh]) {
    expect(await ask(everything, `Bearer ${secret}`)).toMatchObject({ status: 401, code: 'token_not_valid' })
  }
})

it('has a keyword with its case, and words of its own for what is no token', async () => {
  const jwt = jwtAuthentication({ headerTypes: ['JWT', 'Bearer'] })
  expect(jwt.challenge).toBe('JWT realm="api"')
  expect(await ask(jwt, 'bearer x')).toMatchObject({
    status: 401,
    detail: 'Authentication credentials were not provided.',
  })
  for (const value of ['Bearer', 'Bearer a b']) {
    expect(await ask(jwt, value)).toMatchObject({ status: 401, code: 'bad_authorization_header' })
  }
})

it('reads another header where it is told to, alone, and says so to caches', async () => {
  const user = await latchkey.users.create({ username: 'ana' })
  const pair = await latchkey.jwts?.issuePair(user)
  for (const authentication of [jwtAuthentication, jwtStatelessUserAuthentication]) {
    const view = apiView({
      authentication: [authentication({ header: 'X-Access-Token', cookies: true })],
      permissions: [allowAny],
      get: (request) => ({ id: request.user?.id ?? null }),
    })
    const answer = async (headers: Record<string, string>) => {
      const { body, headers: lines } = await latchkey.handler(view)(fakeRequest({ headers }))
      return { body, vary: new Map(lines).get('Vary') }
    }
    const vary = 'Accept, Cookie, X-Access-Token'
    const bearer = `Bearer ${pair?.access}`
    expect(await answer({ 'x-access-token': bearer })).toEqual({ body: `{"id":${user.id}}`, vary })
    expect(await answer({ authorization: bearer })).toEqual({ body: '{"id":null}', vary })
    const cookie = `__Host-jwt_access=${pair?.access}`
    expect(await answer({ authorization: 'Basic x', cookie })).toEqual({ body: `{"id":${user.id}}`, vary })
    expect(await answer({ 'x-access-token': 'Other x', cookie })).toEqual({ body: '{"id":null}', vary })
  }
})

it('refuses what is no name of a header', () => {
  for (const header of ['', 'X Token', 'X:Token', 'X-Tok\u00ebn']) {
    expect(() => jwtAuthentication({ header })).toThrow(/^header:/)
  }
})

it('without a user look-up takes who was deactivated, in the words of simplejwt, and nobody who was revoked', async () => {
  const user = await latchkey.users.create({ username: 'eva', isStaff: true })
  const pair = await latchkey.jwts?.issuePair(user)
  await latchkey.users.deactivate(user)
  const stateless = jwtStatelessUserAuthentication()
  expect(stateless).toMatchObject({ name: 'JWTStatelessUserAuthentication', challenge: 'Bearer realm="api"' })
  expect(await ask(stateless, `Bearer ${pair?.access}`)).toMatchObject({ status: 200, user: '' })
  expect(await ask(jwtAuthentication(), `Bearer ${pair?.access}`)).toMatchObject({
    status: 401,
    code: 'user_inactive',
  })
  await latchkey.jwts?.revokeUser(user)
  expect(await ask(stateless, `Bearer ${pair?.access}`)).toMatchObject({
    status: 401,
    code: 'token_not_valid',
  })
})

it('refuses a realm and keywords that would break the challenge', () => {
  for (const authentication of [jwtAuthentication, jwtStatelessUserAuthentication]) {
    for (const realm of ['a"b', 'a\\b', 'a\r\nb', 'caf\u00e9']) {
      expect(() => authentication({ realm })).toThrow(/^realm:/)
    }
    for (const headerType of ['', 'Bearer token', 'Bearer\r\n', 'B\u00e9arer']) {
      expect(() => authentication({ headerTypes: ['Bearer', headerType] })).toThrow(/^headerTypes:/)
    }
    expect(authentication({ realm: 'the api', headerTypes: ['JWT'] }).challenge).toBe('JWT realm="the api"')
  }
})
