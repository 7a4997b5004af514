import { beforeAll, describe, expect, it } from 'vitest'
import { jwtAuthentication } from '../authenticators/jwt.js'
import { sessionAuthentication } from '../authenticators/session.js'
import { personalTokens } from '../endpoints/personal-tokens.js'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from '../views/api-view.js'
import { allowAny } from './allow-any.js'
import { all, any } from './combine.js'
import { hasScope } from './has-scope.js'
import { isAdminUser } from './is-admin.js'
import type { Permission } from './permission.js'

const personal = personalTokens()
const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  policies: [personal.policy],
  authentication: [personal.authentication],
})

let authorization: string
beforeAll(async () => {
  const user = await latchkey.users.create({ username: 'vitor' })
  const { secret } = await latchkey.tokens.issue({ user, policy: 'personal', scopes: ['orders:read'] })
  authorization = `Bearer ${secret.reveal()}`
})

const ask = async (permission: Permission, options: object = {}) => {
  const view = apiView({ permissions: [permission], get: () => ({ ok: true }), ...options })
  const { status, headers, body } = await latchkey.handler(view)(fakeRequest({ headers: { authorization } }))
  return { status, challenge: new Map(headers).get('WWW-Authenticate'), body: String(body) }
}

describe('a token without the scope that a view needs', () => {
  it('is told which one in the words of RFC 6750', async () => {
    expect(await ask(hasScope('orders:read'))).toMatchObject({ status: 200, challenge: undefined })
    expect(await ask(hasScope('orders:write', 'users:read'))).toEqual({
      status: 403,
      challenge: 'Bearer error="insufficient_scope", scope="orders:write users:read"',
      body: '{"detail":"This needs a token with the scope orders:write users:read."}',
    })
  })

  it('is told so behind the parameters that a challenge has already', async () => {
    const authentication = [jwtAuthentication({ headerTypes: ['JWT'] }), personal.authentication]
    expect((await ask(hasScope('a'), { authentication })).challenge).toBe(
      'JWT realm="api", error="insufficient_scope", scope="a"',
    )
  })

  it('is told nothing of it where the first authenticator has no challenge', async () => {
    const authentication = [sessionAuthentication(), personal.authentication]
    expect(await ask(hasScope('a'), { authentication })).toMatchObject({ status: 403, challenge: undefined })
  })

  it('hears of the part of a combination that denied, and of none where several could have allowed', async () => {
    expect((await ask(all(hasScope('a'), isAdminUser))).challenge).toContain('scope="a"')
    expect((await ask(all(allowAny, all(isAdminUser, hasScope('a'))))).challenge).toBeUndefined()
    expect((await ask(any(hasScope('a'), isAdminUser))).challenge).toBeUndefined()
  })
})
