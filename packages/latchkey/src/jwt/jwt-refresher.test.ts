import { beforeEach, describe, expect, it } from 'vitest'
import type { LatchkeyEvent } from '../events.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'
import type { JwtOptions } from './jwt-options.js'
import { type JwtService, requireJwts } from './jwt-service.js'
import { signingKey } from './signing-key.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
const rotating = { rotateRefresh: true, blacklistAfterRotation: true }
const blacklisted = { code: 'authentication_failed', publicMessage: 'Token is blacklisted' }
const noAccount = {
  code: 'authentication_failed',
  publicMessage: 'No active account found for the given token.',
  extra: undefined,
}

describe('refreshing', () => {
  const clock = fixedClock()
  let events: LatchkeyEvent[]
  let latchkey: Latchkey
  let jwts: JwtService
  let user: User

  const start = async (options: Partial<JwtOptions> = {}) => {
    events = []
    latchkey = createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      clock,
      jwt: { signingKey: key, ...options },
      onEvent: (event) => events.push(event),
    })
    jwts = requireJwts(latchkey.jwts)
    user = await latchkey.users.create({ username: 'vitor' })
  }
  const who = async (token: string) => {
    try {
      return (await jwts.authenticate(token, ['access'])).user?.username
    } catch {
      return null
    }
  }

  beforeEach(() => start())

  it('tells of reuse: whose, which family and from where, and no token', async () => {
    await start(rotating)
    const login = await jwts.issuePair(user)
    const { jti: family } = await jwts.verify(login.refresh)
    const second = await jwts.refresh(login.refresh)
    const third = await jwts.refresh(second.refresh ?? '')
    await jwts.refresh(second.refresh ?? '')
    expect(events).toEqual([])

    clock.advance(10)
    await expect(jwts.refresh(second.refresh ?? '', { address: '192.0.2.1' })).rejects.toMatchObject(
      blacklisted,
    )
    const reused = { kind: 'refresh_reused', userId: user.id, family }
    expect(events).toEqual([{ ...reused, address: '192.0.2.1' }])
    await expect(jwts.refresh(login.refresh)).rejects.toMatchObject(blacklisted)
    expect(events[1]).toEqual({ ...reused, address: null })
    await expect(jwts.refresh(third.refresh ?? '')).rejects.toMatchObject(blacklisted)
    expect(events).toHaveLength(2)
    for (const secret of [login.refresh, second.refresh, third.refresh, login.access]) {
      expect(JSON.stringify(events)).not.toContain(secret)
    }
  })

  it.each([
    ['without rotation', {}],
    ['with rotation', { rotateRefresh: true }],
    ['with one winner', rotating],
  ])('%s refuses users who were deactivated or deleted', async (_, options) => {
    await start(options)
    const [one, two] = [await jwts.issuePair(user), await jwts.issuePair(user)]
    const sliding = await jwts.issueSliding(user)
    await latchkey.users.deactivate(user)
    await expect(jwts.refresh(one.refresh)).rejects.toMatchObject(noAccount)
    await expect(jwts.refreshSliding(sliding)).rejects.toMatchObject(noAccount)
    expect(await who(one.access)).toBeNull()
    await latchkey.users.activate(user)
    await expect(jwts.refresh(one.refresh)).resolves.toHaveProperty('access')
    await latchkey.users.delete(user)
    await expect(jwts.refresh(two.refresh)).rejects.toMatchObject({ code: 'authentication_failed' })
  })

  it('asks the rule at login and at refresh', async () => {
    const banned = new Set<string>()
    await start({ userAuthenticationRule: async ({ username }) => !banned.has(username) })
    const { refresh } = await jwts.issuePair(user)
    const sliding = await jwts.issueSliding(user)
    banned.add('vitor')
    await expect(jwts.refresh(refresh)).rejects.toMatchObject(noAccount)
    await expect(jwts.refreshSliding(sliding)).rejects.toMatchObject(noAccount)
    for (const issue of [jwts.issuePair(user, { address: '192.0.2.1' }), jwts.issueSliding(user)]) {
      await expect(issue).rejects.toMatchObject({
        publicMessage: 'No active account found with the given credentials',
      })
    }
    expect(events).toEqual([{ kind: 'user_login_failed', username: 'vitor', address: '192.0.2.1' }])
    banned.clear()
    await expect(jwts.refresh(refresh)).resolves.toHaveProperty('access')
  })

  it.each([
    ['without rotation', {}],
    ['with rotation', { rotateRefresh: true }],
    ['with one winner', rotating],
  ])('%s goes on after a login in the very second of a logout everywhere', async (_, options) => {
    await start(options)
    const before = await jwts.issuePair(user)
    await jwts.revokeUser(user)
    const after = await jwts.issuePair(user)
    for (let minute = 0, token = after.refresh; minute < 3; minute += 1) {
      clock.advance(60)
      const answer = await jwts.refresh(token)
      expect(await who(answer.access)).toBe('vitor')
      token = answer.refresh ?? token
    }
    expect(await who(after.access)).toBe('vitor')
    expect(await who(before.access)).toBeNull()
    await expect(jwts.refresh(before.refresh)).rejects.toMatchObject(blacklisted)
  })

  it.each<[string, (successor: string) => Promise<unknown>]>([
    ['a logout', (successor) => jwts.blacklist(successor)],
    ['a logout everywhere', () => jwts.revokeUser(user)],
    ['a new password', () => latchkey.users.setPassword(user, 'another sesame 2')],
  ])('gives nothing to an exchanged token after %s, though its grace goes on', async (_, revoke) => {
    await start(rotating)
    const { refresh } = await jwts.issuePair(user)
    clock.advance(60)
    const { refresh: successor = '' } = await jwts.refresh(refresh)
    clock.advance(3)
    await expect(jwts.refresh(refresh)).resolves.toHaveProperty('refresh', successor)
    await revoke(successor)
    clock.advance(3)
    for (const token of [refresh, successor]) {
      await expect(jwts.refresh(token)).rejects.toMatchObject(blacklisted)
    }
  })

  it('gives nothing to an exchanged token once reuse has ended its family', async () => {
    await start(rotating)
    const { refresh: first } = await jwts.issuePair(user)
    const { refresh: second = '' } = await jwts.refresh(first)
    clock.advance(20)
    await jwts.refresh(second)
    await expect(jwts.refresh(first)).rejects.toMatchObject(blacklisted)
    await expect(jwts.refresh(second)).rejects.toMatchObject(blacklisted)
  })

  it('ends the family of a token that is blacklisted within its grace, once; later that is reuse', async () => {
    await start(rotating)
    const [one, two] = [await jwts.issuePair(user), await jwts.issuePair(user)]
    const exchanged = [await jwts.refresh(one.refresh), await jwts.refresh(two.refresh)] as const
    clock.advance(1)
    await jwts.blacklist(one.refresh)
    await expect(jwts.refresh(exchanged[0].refresh ?? '')).rejects.toMatchObject(blacklisted)
    await expect(jwts.blacklist(one.refresh)).rejects.toMatchObject(blacklisted)
    expect(events).toEqual([])

    clock.advance(10)
    await expect(jwts.blacklist(two.refresh, { address: '192.0.2.1' })).rejects.toMatchObject(blacklisted)
    expect(events).toMatchObject([{ kind: 'refresh_reused', userId: user.id, address: '192.0.2.1' }])
    await expect(jwts.refresh(exchanged[1].refresh ?? '')).rejects.toMatchObject(blacklisted)
  })
})
