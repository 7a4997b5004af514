import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { user, verifiedToken } from '../../test/verified-token.js'
import type { User } from '../identity.js'
import { packToken, packUser, unpackToken, updateUser } from './packed-token.js'
import { TOKEN_BRAND } from './token.js'
import type { VerifiedToken } from './verified-token.js'

/** Among them what no text of ours can hold: years before 1970 and after 2059, and names of a thousand letters. */
const dates = fc.date({
  min: new Date('1900-01-01'),
  max: new Date('2100-01-01'),
  noInvalidDate: false,
})
const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constant('x'.repeat(2000)),
)
const users: fc.Arbitrary<User> = fc.record({
  id: fc.oneof(fc.integer(), fc.string()),
  username: texts,
  email: texts,
  isActive: fc.boolean(),
  isStaff: fc.boolean(),
  isSuperuser: fc.boolean(),
  dateJoined: dates,
  lastLogin: fc.option(dates),
})
const scopes = fc.option(fc.array(fc.string()))
const ends = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer())
const tokens: fc.Arbitrary<VerifiedToken> = fc
  .record({
    user: users,
    isRespelt: fc.boolean(),
    id: fc.integer(),
    policy: fc.string(),
    hint: fc.oneof(
      fc.string({ minLength: 4, maxLength: 4 }).map((letters) => `…${letters}`),
      fc.string({ unit: 'binary' }).map((letters) => `…${letters}`),
      fc.string({ unit: 'binary' }),
    ),
    name: fc.oneof(fc.constant(''), fc.string()),
    scopes,
    allowedAddresses: scopes,
    createdAt: dates,
    expiresAt: fc.option(dates),
    previous: fc.option(fc.record({ hint: fc.string(), endsAt: dates })),
    endsAtMs: fc.option(ends),
    renewAfterMs: ends,
    tracksUse: fc.boolean(),
  })
  .map(({ user, isRespelt, endsAtMs, renewAfterMs, tracksUse, ...auth }) => ({
    // An app's own table may answer with another spelling of the id that it was asked for.
    identity: { user, auth: { [TOKEN_BRAND]: true, ...auth, userId: isRespelt ? `${user.id} ` : user.id } },
    endsAtMs: endsAtMs ?? auth.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY,
    renewAfterMs,
    allows: auth.allowedAddresses && (() => true),
    tracksUse,
    tally: null,
  }))

describe('packToken', () => {
  it('gives back every token and user as it was', () => {
    fc.assert(
      fc.property(tokens, (token) => {
        expect(
          unpackToken(packToken(packUser(token.identity.auth.userId, token.identity.user), token)),
        ).toEqual(token)
      }),
    )
  })

  it('gives frozen objects, as those that the store was asked for', () => {
    fc.assert(
      fc.property(tokens, (token) => {
        const { identity } = unpackToken(
          packToken(packUser(token.identity.auth.userId, Object.freeze(token.identity.user)), token),
        )
        for (const part of [identity, identity.user, identity.auth]) expect(Object.isFrozen(part)).toBe(true)
      }),
    )
  })
})

describe('updateUser', () => {
  // Among them users with an invalid date, which JSON could not tell from none.
  it('takes up a login and nothing else', () => {
    fc.assert(
      fc.property(users, users, (one, other) => {
        const packed = packUser(one.id, one)
        const later = { ...one, lastLogin: other.lastLogin }
        expect(updateUser(packed, later)).toBe(true)
        expect(unpackToken(packToken(packed, verifiedToken(later))).identity.user).toEqual(later)
        for (const [name, value] of Object.entries(other)) {
          if (name === 'lastLogin' || String(value) === String(Reflect.get(one, name))) continue
          if (value instanceof Date && value.getTime() === Number(Reflect.get(one, name))) continue
          expect(updateUser(packed, { ...later, [name]: value })).toBe(false)
        }
        expect(unpackToken(packToken(packed, verifiedToken(later))).identity.user).toEqual(later)
      }),
    )
  })

  it('packs what an app has in place of a date or a text', () => {
    const odd: User = { ...user(5) }
    for (const [name, value] of Object.entries({ dateJoined: '2026-01-01', lastLogin: 7n, email: null }))
      Reflect.set(odd, name, value)
    const packed = packUser(odd.id, odd)
    expect(unpackToken(packToken(packed, verifiedToken(odd))).identity.user).toEqual(odd)
    expect(updateUser(packed, { ...odd })).toBe(true)
    expect(updateUser(packed, user(5))).toBe(false)
  })
})
