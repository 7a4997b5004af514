import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { User } from '../identity.js'
import { isSameUser, packToken, packUser, unpackToken } from './packed-token.js'
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
  .map(({ user, endsAtMs, renewAfterMs, tracksUse, ...auth }) => ({
    identity: { user, auth: { ...auth, userId: user.id } },
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
        expect(unpackToken(packToken(packUser(token.identity.user), token))).toEqual(token)
      }),
    )
  })

  it('gives frozen objects, as those that the store was asked for', () => {
    fc.assert(
      fc.property(tokens, (token) => {
        const { identity } = unpackToken(packToken(packUser(Object.freeze(token.identity.user)), token))
        for (const part of [identity, identity.user, identity.auth]) expect(Object.isFrozen(part)).toBe(true)
      }),
    )
  })
})

describe('isSameUser', () => {
  it('tells a user in which anything has changed', () => {
    // As JSON an invalid date is null.
    const valid = users.filter(({ dateJoined, lastLogin }) =>
      [dateJoined, lastLogin].every((date) => date === null || Number.isFinite(date.getTime())),
    )
    fc.assert(
      fc.property(valid, valid, (one, other) => {
        expect(isSameUser(packUser(one), { ...one })).toBe(true)
        for (const [name, value] of Object.entries(other)) {
          const changed = { ...one, [name]: value }
          const isEqual = JSON.stringify(changed) === JSON.stringify(one)
          if (name !== 'id') expect(isSameUser(packUser(one), changed)).toBe(isEqual)
        }
      }),
    )
  })
})
