import { beforeEach, describe, expect, it } from 'vitest'
import { jwtAuthentication } from '../authenticators/jwt.js'
import type { LatchkeyEvent } from '../events.js'
import type { JwtOptions } from '../jwt/jwt-options.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { apiView } from '../views/api-view.js'
import type { View } from '../views/view.js'
import { tokenObtainPair, tokenObtainSliding, tokenRefresh } from './jwt.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
const CREDENTIALS = { username: 'vitor', password: 'open sesame 1' }

describe('JWT endpoints', () => {
  const clock = fixedClock()
  let events: LatchkeyEvent[]
  let latchkey: Latchkey
  let store: Store

  const start = async (options: Partial<JwtOptions> = {}) => {
    events = []
    store = memoryStore()
    latchkey = createLatchkey({
      store,
      secret: 'a secret of at least thirty-two characters',
      clock,
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      jwt: { signingKey: key, ...options },
      onEvent: (event) => events.push(event),
    })
    await latchkey.users.create(CREDENTIALS)
  }
  const post = async (view: View, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const request = fakeRequest({ method: 'POST', headers, body: JSON.stringify(body) })
    const answer = await latchkey.handler(view)(request)
    return { status: answer.status, body: JSON.parse(String(answer.body)) as Record<string, string> }
  }
  const claimsOf = async (token: string | undefined) => latchkey.jwts?.verify(token ?? '')

  beforeEach(() => start())

  it('have claims and answer declared in one place, and replaced for a route', async () => {
    await start({
      claims: ({ username }) => ({ name: username, exp: 1, user_id: 99, token_type: 'access' }),
      answer: async ({ username }) => ({ username, access: 'mine', refresh: 'mine', token: 'mine' }),
    })
    const pair = await post(tokenObtainPair(), CREDENTIALS)
    expect(Object.keys(pair.body)).toEqual(['refresh', 'access', 'username', 'token'])
    expect(pair.body.username).toBe('vitor')
    const refresh = await claimsOf(pair.body.refresh)
    expect(refresh).toMatchObject({ token_type: 'refresh', user_id: 1, name: 'vitor' })
    expect(await claimsOf(pair.body.access)).toMatchObject({
      token_type: 'access',
      user_id: 1,
      name: 'vitor',
    })
    expect(Number(refresh?.exp)).toBe(clock.nowMs() / 1000 + 86_400)

    const sliding = await post(tokenObtainSliding(), CREDENTIALS)
    expect(await claimsOf(sliding.body.token)).toMatchObject({ token_type: 'sliding', name: 'vitor' })

    const route = tokenObtainPair({ claims: () => ({ role: 'admin' }), answer: () => ({ role: 'admin' }) })
    const other = await post(route, CREDENTIALS)
    expect(Object.keys(other.body)).toEqual(['refresh', 'access', 'role'])
    const claims = await claimsOf(other.body.access)
    expect(claims).toHaveProperty('role', 'admin')
    expect(claims).not.toHaveProperty('name')
    expect(await claimsOf((await post(tokenRefresh(), other.body)).body.access)).toHaveProperty(
      'role',
      'admin',
    )
  })

  it.each([false, true])('tell logins and failures, and write lastLogin if told to: %s', async (update) => {
    await start({ updateLastLogin: update })
    const { body } = await post(tokenObtainPair(), CREDENTIALS)
    const { jti } = (await claimsOf(body.refresh)) ?? {}
    const lastLogin = update ? new Date(clock.nowMs()) : null
    expect(events).toMatchObject([
      {
        kind: 'user_logged_in',
        user: { username: 'vitor', lastLogin },
        policy: 'jwt',
        hint: jti,
        address: '127.0.0.1',
      },
    ])
    expect((await latchkey.users.get(1))?.lastLogin).toEqual(lastLogin)
    expect(JSON.stringify(events)).not.toContain(body.refresh)
    const failed = await post(tokenObtainPair(), { ...CREDENTIALS, password: 'wrong' })
    expect(failed).toEqual({
      status: 401,
      body: { detail: 'No active account found with the given credentials' },
    })
    expect(events[1]).toEqual({ kind: 'user_login_failed', username: 'vitor', address: '127.0.0.1' })
  })

  it('name where a reused refresh token came from', async () => {
    await start({ rotateRefresh: true, blacklistAfterRotation: true, refreshGraceSeconds: 0 })
    const { body } = await post(tokenObtainPair(), CREDENTIALS)
    expect((await post(tokenRefresh(), body)).status).toBe(200)
    expect(await post(tokenRefresh(), body)).toEqual({
      status: 401,
      body: { detail: 'Token is blacklisted', code: 'token_not_valid' },
    })
    expect(events.slice(1)).toMatchObject([{ kind: 'refresh_reused', userId: 1, address: '127.0.0.1' }])
  })

  it('and views refuse a deactivated user at once, and one whose password changed', async () => {
    const view = apiView({
      authentication: [jwtAuthentication()],
      get: ({ user }) => ({ hello: user?.username }),
    })
    const hello = async (token: string | undefined) =>
      (await latchkey.handler(view)(fakeRequest({ headers: { authorization: `Bearer ${token}` } }))).status
    const first = await post(tokenObtainPair(), CREDENTIALS)
    expect(await hello(first.body.access)).toBe(200)
    await latchkey.users.deactivate(1)
    expect(await hello(first.body.access)).toBe(401)
    expect((await post(tokenRefresh(), first.body)).status).toBe(401)
    expect((await post(tokenObtainPair(), CREDENTIALS)).status).toBe(401)
    await latchkey.users.activate(1)
    expect(await hello(first.body.access)).toBe(200)

    await latchkey.users.setPassword(1, 'another sesame 2')
    expect(await hello(first.body.access)).toBe(401)
    expect((await post(tokenRefresh(), first.body)).status).toBe(401)
    clock.advance(0.001)
    const second = await post(tokenObtainPair(), { ...CREDENTIALS, password: 'another sesame 2' })
    expect(await hello(second.body.access)).toBe(200)
    expect(await hello((await post(tokenRefresh(), second.body)).body.access)).toBe(200)
  })

  it('give nothing to a login with the old password that is under way when the new one is set', async () => {
    const { findByUsername } = store.users
    store.users.findByUsername = async (username) => {
      const record = await findByUsername(username)
      clock.advance(0.1)
      await latchkey.users.setPassword(1, 'another sesame 2')
      clock.advance(0.1)
      return record
    }
    for (const view of [tokenObtainPair(), tokenObtainSliding()]) {
      expect(await post(view, CREDENTIALS)).toEqual({
        status: 401,
        body: { detail: 'No active account found with the given credentials' },
      })
      await latchkey.users.setPassword(1, CREDENTIALS.password)
    }
    store.users.findByUsername = findByUsername
    clock.advance(0.001)
    expect((await post(tokenObtainPair(), CREDENTIALS)).status).toBe(200)
    const kinds = events.map(({ kind }) => kind).filter((kind) => kind.startsWith('user_'))
    expect(kinds).toEqual(['user_login_failed', 'user_login_failed', 'user_logged_in'])
  })
})
