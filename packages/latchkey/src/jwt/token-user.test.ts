import { beforeEach, describe, expect, it } from 'vitest'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { signJws } from './jws.js'
import type { JwtOptions } from './jwt-options.js'
import { type JwtService, requireJwts } from './jwt-service.js'
import { signingKey } from './signing-key.js'
import { tokenUser } from './token-user.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })

describe('tokenUser', () => {
  it('reads what simplejwt reads, and believes true alone', () => {
    expect(tokenUser(1, { username: 'vitor', is_staff: true, is_superuser: true })).toMatchObject({
      id: 1,
      username: 'vitor',
      isActive: true,
      isStaff: true,
      isSuperuser: true,
    })
    for (const claim of [1, 'true', 'false', {}, [], null]) {
      const user = tokenUser(1, { username: claim, is_staff: claim, is_superuser: claim })
      expect(user).toMatchObject({
        username: typeof claim === 'string' ? claim : '',
        isStaff: false,
        isSuperuser: false,
      })
    }
  })

  it('takes further facts from a function, and no other id', () => {
    const claims = { preferred_username: 'vitor', id: 99 }
    const more = JSON.parse('{"id":2,"email":"vitor@example.com"}') as { readonly email: string }
    expect(tokenUser(1, claims, () => more)).toMatchObject({ id: 1, email: 'vitor@example.com' })
  })
})

describe('a user known by claims alone', () => {
  const clock = fixedClock()
  let latchkey: Latchkey
  let jwts: JwtService
  let user: User

  const start = async (options: Partial<JwtOptions> = {}) => {
    latchkey = createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      clock,
      jwt: {
        signingKey: key,
        claims: ({ username, isStaff }) => ({ username, is_staff: isStaff }),
        ...options,
      },
    })
    jwts = requireJwts(latchkey.jwts)
    user = await latchkey.users.create({ username: 'vitor', isStaff: true })
  }
  const who = async (token: string) => (await jwts.authenticate(token, ['access'], 'claimed')).user
  const signed = (claims: object) =>
    signJws({ token_type: 'access', exp: clock.nowMs() / 1000 + 60, jti: 'x', ...claims }, key)

  beforeEach(() => start())

  it('is whom the token describes, without a look-up of any user', async () => {
    const { access } = await jwts.issuePair(user)
    const stored = await jwts.authenticate(access, ['access'])
    await latchkey.users.update(user, { username: 'renamed', isStaff: false })
    expect(await who(access)).toMatchObject({ id: user.id, username: 'vitor', isStaff: true, isActive: true })
    expect(stored.user?.username).toBe('vitor')
    expect((await jwts.authenticate(access, ['access'])).user?.username).toBe('renamed')
  })

  it('stays when it was deactivated, but not when its tokens were revoked', async () => {
    const [one, two] = [await jwts.issuePair(user), await jwts.issuePair(user)]
    await latchkey.users.deactivate(user)
    for (const { access } of [one, two]) expect(await who(access)).toMatchObject({ username: 'vitor' })
    await jwts.revoke(await jwts.verify(one.access))
    await expect(who(one.access)).rejects.toMatchObject({ code: 'authentication_failed' })
    expect(await who(two.access)).toMatchObject({ username: 'vitor' })
    await jwts.revokeUser(user)
    await expect(who(two.access)).rejects.toMatchObject({ code: 'authentication_failed' })
  })

  it('feels what the issuer revokes by an id of its own table, where the users are not at hand', async () => {
    const store = memoryStore({ externalUsers: true })
    const common = { store, secret: 'a secret of at least thirty-two characters', clock }
    for (const id of ['f3a1-uuid', '007']) {
      const known = { ...user, id, passwordHash: '!', passwordVersion: 0 }
      const users = { findById: async () => known, findByUsername: async () => known }
      const issuer = requireJwts(createLatchkey({ ...common, users, jwt: { signingKey: key } }).jwts)
      const reader = requireJwts(createLatchkey({ ...common, jwt: { signingKey: key } }).jwts)
      const uncached = requireJwts(
        createLatchkey({ ...common, cacheEntries: 0, jwt: { signingKey: key } }).jwts,
      )
      const { access } = await issuer.issuePair(known)
      for (const service of [reader, uncached]) await service.authenticate(access, ['access'], 'claimed')
      await issuer.revokeUser(id)
      for (const service of [reader, uncached]) {
        const answer = Promise.resolve(service.authenticate(access, ['access'], 'claimed'))
        await expect(answer).rejects.toMatchObject({ code: 'authentication_failed' })
        await expect(service.verify(access)).rejects.toMatchObject({ code: 'authentication_failed' })
      }
    }
  })

  it('has claims that no request can change for the next one', async () => {
    const token = signed({ user_id: 1, rights: { lists: [['read']] } })
    const claims = async () => (await jwts.authenticate(token, ['access'], 'claimed')).auth
    const { rights } = (await claims()) as { readonly rights: { lists: string[][] } }
    expect(() => rights.lists[0]?.push('write')).toThrow(TypeError)
    expect(() => {
      rights.lists = []
    }).toThrow(TypeError)
    expect(await claims()).toMatchObject({ rights: { lists: [['read']] } })
  })

  it('has an id of any issuer, and must have one', async () => {
    expect(await who(signed({ user_id: '7' }))).toMatchObject({ id: 7 })
    expect(await who(signed({ user_id: 'f3a1-uuid' }))).toMatchObject({ id: 'f3a1-uuid' })
    for (const claims of [{}, { user_id: null }, { user_id: [1] }, { user_id: {} }]) {
      await expect(who(signed(claims))).rejects.toMatchObject({
        publicMessage: 'Token contained no recognizable user identification',
      })
    }
  })

  it('is completed by jwt.tokenUser', async () => {
    await start({
      tokenUser: ({ preferred_username }) => ({ username: `from ${String(preferred_username)}` }),
    })
    expect(await who(signed({ user_id: 1, preferred_username: 'afar' }))).toMatchObject({
      id: 1,
      username: 'from afar',
    })
  })
})
