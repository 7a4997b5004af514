import { beforeEach, describe, expect, it } from 'vitest'
import type { User, UserId } from '../identity.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { toUser } from '../users/user.js'
import { signJws, verifyJws } from './jws.js'
import type { JwtOptions } from './jwt-options.js'
import { JwtService } from './jwt-service.js'
import { signingKey } from './signing-key.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })

describe('JwtService', () => {
  const clock = fixedClock(1_900_000_000_250)
  let store: Store
  let user: User

  const service = (options: Partial<JwtOptions> = {}) =>
    new JwtService({ store, users: store.users, clock, cacheEntries: 100, signingKey: key, ...options })
  const claimsOf = (token: string) => verifyJws(token, [key]).payload
  const refusal = (message: string, code = 'token_not_valid') => ({
    code: 'authentication_failed',
    publicMessage: message,
    extra: { code },
  })
  const who = async (jwts: JwtService, token: string) => {
    try {
      return (await jwts.authenticate(token, ['access'])).user?.username
    } catch (error) {
      return error
    }
  }

  beforeEach(async () => {
    clock.set(1_900_000_000_250)
    store = memoryStore()
    const record = await store.users.insert({
      username: 'vitor',
      email: '',
      passwordHash: '!',
      isActive: true,
      isStaff: false,
      isSuperuser: false,
      dateJoined: new Date(0),
      lastLogin: null,
    })
    if (record === null) throw new Error('no user')
    user = toUser(record)
  })

  it('issues the claims of simplejwt, in its order', async () => {
    const { refresh, access } = await service({
      claims: ({ username }) => ({ name: username, exp: 1 }),
    }).issuePair(user)
    expect(Object.entries(claimsOf(access))).toEqual([
      ['token_type', 'access'],
      ['exp', 1_900_000_300],
      ['iat', 1_900_000_000],
      ['jti', expect.stringMatching(/^[0-9a-f]{32}$/)],
      ['user_id', 1],
      ['name', 'vitor'],
    ])
    expect(claimsOf(refresh)).toMatchObject({
      token_type: 'refresh',
      exp: 1_900_086_400,
      user_id: 1,
      name: 'vitor',
    })
    expect(claimsOf(refresh).jti).not.toBe(claimsOf(access).jti)
  })

  it('writes the user into sub as a text, as RFC 7519 has it, and reads it again', async () => {
    const jwts = service({ userIdClaim: 'sub' })
    const { refresh, access } = await jwts.issuePair(user)
    expect(claimsOf(access).sub).toBe('1')
    expect(await who(jwts, access)).toBe('vitor')
    const renewed = await jwts.refresh(refresh)
    expect(claimsOf(renewed.access).sub).toBe('1')
    await store.users.update(1, { isActive: false })
    expect(await who(jwts, access)).toMatchObject({ publicMessage: 'User is inactive' })
  })

  it("keeps the id of an app's own user in sub as it is, so that a revocation finds it", async () => {
    const own = new Map([[5, { ...user, id: 5, passwordHash: '!', passwordVersion: 0 }]])
    const users = {
      findById: async (id: UserId) => own.get(id as number) ?? null,
      findByUsername: async () => null,
    }
    const jwts = new JwtService({
      store,
      users,
      clock,
      cacheEntries: 100,
      signingKey: key,
      userIdClaim: 'sub',
    })
    const { access, refresh } = await jwts.issuePair({ ...user, id: 5 })
    expect(await who(jwts, access)).toBe('vitor')
    await jwts.revokeUser(5)
    expect(await who(jwts, access)).toMatchObject({ code: 'authentication_failed' })
    await expect(jwts.refresh(refresh)).rejects.toMatchObject({ code: 'authentication_failed' })
  })

  it('verifies hot without the store, and still judges the expiry', async () => {
    const jwts = service()
    const { access } = await jwts.issuePair(user)
    expect(await who(jwts, access)).toBe('vitor')
    store.jwts.state = () => Promise.reject(new Error('the store was asked'))
    expect(jwts.authenticate(access, ['access'])).not.toBeInstanceOf(Promise)
    clock.advance(300)
    expect(await who(jwts, access)).toMatchObject({
      publicMessage: 'Given token not valid for any token type',
    })
  })

  it('names every type that was tried', async () => {
    const jwts = service()
    const { refresh } = await jwts.issuePair(user)
    await expect(jwts.authenticate(refresh, ['access', 'sliding'])).rejects.toMatchObject({
      extra: {
        code: 'token_not_valid',
        messages: [
          { token_class: 'AccessToken', token_type: 'access', message: 'Token has wrong type' },
          { token_class: 'SlidingToken', token_type: 'sliding', message: 'Token has wrong type' },
        ],
      },
    })
  })

  it('refuses deactivated and deleted users at the next request', async () => {
    const jwts = service()
    const { access } = await jwts.issuePair(user)
    expect(await who(jwts, access)).toBe('vitor')
    await store.users.update(user.id, { isActive: false })
    expect(await who(jwts, access)).toMatchObject(refusal('User is inactive', 'user_inactive'))
    await store.users.delete(user.id)
    expect(await who(jwts, access)).toMatchObject(refusal('User not found', 'user_not_found'))
  })

  it('revokes an access token at once, by its claims', async () => {
    const jwts = service()
    const { access } = await jwts.issuePair(user)
    const { auth } = await jwts.authenticate(access, ['access'])
    expect(await jwts.revoke(auth)).toBe(true)
    expect(await who(jwts, access)).toMatchObject({ code: 'authentication_failed' })
    expect(await jwts.revoke(auth)).toBe(false)
  })

  it('ends everything of a user, and not what is issued in the same second after it', async () => {
    const jwts = service()
    const before = await jwts.issuePair(user)
    expect(await who(jwts, before.access)).toBe('vitor')
    await jwts.revokeUser(user)
    const after = await jwts.issuePair(user)
    expect(await who(jwts, before.access)).toMatchObject({ code: 'authentication_failed' })
    await expect(jwts.refresh(before.refresh)).rejects.toMatchObject(refusal('Token is blacklisted'))
    expect(await who(jwts, after.access)).toBe('vitor')
    await expect(jwts.refresh(after.refresh)).resolves.toHaveProperty('access')
  })

  it('refreshes without rotation any number of times', async () => {
    const jwts = service()
    const { refresh } = await jwts.issuePair(user)
    for (let round = 0; round < 3; round += 1) {
      const answer = await jwts.refresh(refresh)
      expect(Object.keys(answer)).toEqual(['access'])
      expect(await who(jwts, answer.access)).toBe('vitor')
    }
  })

  describe('with rotation and blacklisting', () => {
    const rotating = { rotateRefresh: true, blacklistAfterRotation: true }

    it('has one winner: 8 parallel refreshes, 100 rounds, one family goes on', async () => {
      const jwts = service(rotating)
      let { refresh } = await jwts.issuePair(user)
      for (let round = 0; round < 100; round += 1) {
        const answers = await Promise.all(Array.from({ length: 8 }, () => jwts.refresh(refresh)))
        const successors = new Set(answers.map((answer) => answer.refresh))
        expect(successors.size).toBe(1)
        const [next] = successors
        expect(next).not.toBe(refresh)
        refresh = next ?? ''
      }
    })

    it('answers a retry inside the grace with the same successor, and ends the family after it', async () => {
      const jwts = service(rotating)
      const { refresh } = await jwts.issuePair(user)
      const first = await jwts.refresh(refresh)
      clock.advance(9.9)
      expect((await jwts.refresh(refresh)).refresh).toBe(first.refresh)
      clock.advance(0.1)
      await expect(jwts.refresh(refresh)).rejects.toMatchObject(refusal('Token is blacklisted'))
      await expect(jwts.refresh(first.refresh ?? '')).rejects.toMatchObject(refusal('Token is blacklisted'))
    })

    it('keeps a user logged in who logged in twice, when one family ends', async () => {
      const jwts = service({ ...rotating, refreshGraceSeconds: 0 })
      const [stolen, other] = [await jwts.issuePair(user), await jwts.issuePair(user)]
      await jwts.refresh(stolen.refresh)
      await expect(jwts.refresh(stolen.refresh)).rejects.toMatchObject(refusal('Token is blacklisted'))
      await expect(jwts.refresh(other.refresh)).resolves.toHaveProperty('refresh')
    })

    it('contradictory settings refuse to start', () => {
      expect(() => service({ blacklistAfterRotation: true })).toThrow(/^jwt.blacklistAfterRotation:/)
      expect(() => service({ leewaySeconds: 61 })).toThrow(/^jwt.leewaySeconds:/)
      expect(() => service({ accessTtlSeconds: -1 })).toThrow(/^jwt.accessTtlSeconds:/)
      expect(() => service({ jtiClaim: '' })).toThrow(/^jwt.jtiClaim:/)
    })
  })

  it('tells a blacklisted token as such, whoever its user is by now, and as each type would', async () => {
    const jwts = service({ rotateRefresh: true, blacklistAfterRotation: true, refreshGraceSeconds: 0 })
    const { refresh } = await jwts.issuePair(user)
    await jwts.refresh(refresh)
    await store.users.update(1, { isActive: false })
    await expect(jwts.refresh(refresh)).rejects.toMatchObject(refusal('Token is blacklisted'))
    const said = async (types: readonly ('access' | 'sliding')[]) => {
      const error: unknown = await Promise.resolve(jwts.authenticate(refresh, types)).catch(
        (thrown) => thrown,
      )
      const { messages } = (error as { extra: { messages: Array<{ message: string }> } }).extra
      return messages.map(({ message }) => message)
    }
    expect(await said(['access', 'sliding'])).toEqual(['Token has wrong type', 'Token is blacklisted'])
  })

  it('reads a user id as Python does: blanks around it, and a byte order mark is none', async () => {
    const jwts = service()
    const { access } = await jwts.issuePair(user)
    const named = (user_id: string) => signJws({ ...claimsOf(access), user_id }, key)
    expect(await who(jwts, named(' 1\u0085'))).toBe('vitor')
    expect(await who(jwts, named('\ufeff1'))).toMatchObject({ publicMessage: 'User not found' })
  })

  it('blacklists once, and verify refuses what was blacklisted', async () => {
    const jwts = service()
    const { refresh, access } = await jwts.issuePair(user)
    await expect(jwts.verify(refresh)).resolves.toMatchObject({ token_type: 'refresh' })
    await jwts.blacklist(refresh)
    for (const call of [jwts.blacklist(refresh), jwts.verify(refresh), jwts.refresh(refresh)]) {
      await expect(call).rejects.toMatchObject(refusal('Token is blacklisted'))
    }
    await expect(jwts.blacklist(access)).rejects.toMatchObject(refusal('Token has wrong type'))
  })

  it('slides until refresh_exp', async () => {
    const jwts = service({ slidingTtlSeconds: 100, slidingRefreshTtlSeconds: 150 })
    let token = await jwts.issueSliding(user)
    const { jti, refresh_exp } = claimsOf(token)
    clock.advance(90)
    token = await jwts.refreshSliding(token)
    expect(claimsOf(token)).toMatchObject({ jti, refresh_exp, exp: 1_900_000_190 })
    clock.advance(70)
    await expect(jwts.refreshSliding(token)).rejects.toMatchObject(
      refusal("Token 'refresh_exp' claim has expired"),
    )
  })

  it('takes a retired key, and tokens whose user id is text', async () => {
    const newer = signingKey({ algorithm: 'HS512', key: 'another signing key of thirty-two bytes and more' })
    const { access } = await service().issuePair(user)
    expect(await who(service({ signingKey: newer, verifyingKeys: [key] }), access)).toBe('vitor')
    expect(await who(service({ signingKey: newer }), access)).toMatchObject({ code: 'authentication_failed' })
  })

  it('forgets expired records only', async () => {
    const jwts = service({ refreshTtlSeconds: 10 })
    await jwts.issuePair(user)
    expect(await jwts.deleteExpired()).toBe(0)
    // With a leeway of a minute on another node, and a clock there that is a minute behind.
    clock.advance(11 + 119)
    expect(await jwts.deleteExpired()).toBe(0)
    clock.advance(3)
    expect(await jwts.deleteExpired()).toBe(1)
  })

  it('keeps what says "revoked" as long as a token could be accepted, whatever the leeway becomes', async () => {
    const jwts = service({ refreshTtlSeconds: 10 })
    const { refresh } = await jwts.issuePair(user)
    await jwts.blacklist(refresh)
    for (let seconds = 0; seconds < 10 + 60; seconds += 5) {
      await jwts.deleteExpired()
      for (const leewaySeconds of [0, 30, 60]) {
        await expect(
          service({ refreshTtlSeconds: 10, leewaySeconds }).refresh(refresh),
        ).rejects.toMatchObject({
          code: 'authentication_failed',
        })
      }
      clock.advance(5)
    }
  })

  it('keeps what says "revoked" of a sliding token for the last one that it was refreshed to', async () => {
    const jwts = service({ slidingTtlSeconds: 100, slidingRefreshTtlSeconds: 150 })
    const first = await jwts.issueSliding(user)
    clock.advance(90)
    const second = await jwts.refreshSliding(first)
    clock.advance(59)
    const last = await jwts.refreshSliding(second)
    expect(await jwts.revoke(await jwts.verify(second))).toBe(true)
    for (let seconds = 0; seconds < 100; seconds += 10) {
      await jwts.deleteExpired()
      await expect(jwts.verify(last)).rejects.toMatchObject({ code: 'authentication_failed' })
      clock.advance(10)
    }
    clock.advance(200)
    expect(await jwts.deleteExpired()).toBe(1)
  })
})
