import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkClaims, checkExpiry, checkJti, checkTokenType, claimMessage, numericDate } from './claims.js'

const NOW = 1_800_000_000
const times = { nowSeconds: NOW + 0.25, leewaySeconds: 0 }
const good = { token_type: 'access', exp: NOW + 300, iat: NOW, jti: 'x', user_id: 1 }

describe('checkClaims', () => {
  it.each([
    ['nothing wrong', {}, 'ok'],
    ['no claims but these', { iat: undefined }, 'ok'],
    ['exp with a fraction', { exp: NOW + 300.5 }, 'ok'],
    ['exp in the next second', { exp: NOW + 1 }, 'ok'],
    ['exp this second', { exp: NOW }, 'expired'],
    ['exp whose fraction alone is to come', { exp: NOW + 0.9 }, 'expired'],
    ['exp zero', { exp: 0 }, 'expired'],
    ['exp negative', { exp: -1 }, 'expired'],
    ['exp null', { exp: null }, 'invalid'],
    ['exp a text of digits', { exp: String(NOW + 300) }, 'invalid'],
    ['exp a list', { exp: [NOW + 300] }, 'invalid'],
    ['exp true', { exp: true }, 'invalid'],
    ['exp after the year 9999', { exp: 253_402_300_800 }, 'invalid'],
    ['exp endless', { exp: Number.POSITIVE_INFINITY }, 'invalid'],
    ['exp not a number', { exp: Number.NaN }, 'invalid'],
    ['nbf past', { nbf: NOW - 60 }, 'ok'],
    ['nbf this second', { nbf: NOW }, 'ok'],
    ['nbf later in this second', { nbf: NOW + 0.9 }, 'ok'],
    ['nbf future', { nbf: NOW + 60 }, 'invalid'],
    ['nbf null', { nbf: null }, 'invalid'],
    ['nbf a text', { nbf: 'x' }, 'invalid'],
    ['iat future', { iat: NOW + 60 }, 'invalid'],
    ['iat later in this second', { iat: NOW + 0.9 }, 'invalid'],
    ['iat a word', { iat: 'x' }, 'invalid'],
    ['iat an object', { iat: {} }, 'invalid'],
    ['iat future of an expired token', { iat: NOW + 60, exp: NOW - 60 }, 'invalid'],
    ['aud that nobody asked for', { aud: 'someone' }, 'ok'],
    ['aud of a wrong shape that nobody asked for', { aud: 1 }, 'ok'],
    ['iss that nobody asked for', { iss: 'someone' }, 'ok'],
  ])('%s', (_, claims, result) => {
    const payload = Object.fromEntries(
      Object.entries({ ...good, ...claims }).filter(([, value]) => value !== undefined),
    )
    expect(checkClaims(payload, times)).toBe(result)
  })

  it('widens every limit by the leeway, and no further', () => {
    const rules = { nowSeconds: NOW, leewaySeconds: 10 }
    expect(checkClaims({ exp: NOW - 9 }, rules)).toBe('ok')
    expect(checkClaims({ exp: NOW - 10 }, rules)).toBe('expired')
    for (const claim of ['nbf', 'iat']) {
      expect(checkClaims({ [claim]: NOW + 10 }, rules)).toBe('ok')
      expect(checkClaims({ [claim]: NOW + 11 }, rules)).toBe('invalid')
    }
  })

  it.each([
    ['the audience', 'us', 'ok'],
    ['a list with it', ['them', 'us'], 'ok'],
    ['another', 'them', 'invalid'],
    ['its upper case', 'US', 'invalid'],
    ['a text that contains it', 'usual', 'invalid'],
    ['a list without it', ['them'], 'invalid'],
    ['an empty list', [], 'invalid'],
    ['a list with a number in it', [1, 'us'], 'invalid'],
    ['a list in a list', [['us']], 'invalid'],
    ['a number', 1, 'invalid'],
    ['null', null, 'invalid'],
    ['an object', { us: 'us' }, 'invalid'],
    ['none', undefined, 'invalid'],
  ])('wants its audience when it has one: %s', (_, aud, result) => {
    const payload = aud === undefined ? good : { ...good, aud }
    expect(checkClaims(payload, { ...times, audience: 'us' })).toBe(result)
    expect(checkClaims(payload, { ...times, audience: ['we', 'us'] })).toBe(result)
    expect(checkClaims(payload, { ...times, audience: [] })).toBe('invalid')
  })

  it('wants its issuer, exactly, when it has one', () => {
    const rules = { ...times, issuer: 'us' }
    expect(checkClaims({ ...good, iss: 'us' }, rules)).toBe('ok')
    for (const iss of ['US', 'us ', '', null, 1, ['us'], {}]) {
      expect(checkClaims({ ...good, iss }, rules)).toBe('invalid')
    }
    expect(checkClaims(good, rules)).toBe('invalid')
  })

  it('never takes an inherited property for a claim', () => {
    const payload = Object.create({ exp: NOW - 1, aud: 'us', iss: 'us' }) as Record<string, unknown>
    expect(checkClaims(payload, times)).toBe('ok')
    expect(checkClaims(payload, { ...times, audience: 'us' })).toBe('invalid')
    expect(checkClaims(payload, { ...times, issuer: 'us' })).toBe('invalid')
  })

  it('answers for any JSON, and never lets pass what is past its exp', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('exp', 'nbf', 'iat', 'aud', 'iss'), fc.jsonValue()),
        (payload) => {
          const result = checkClaims(payload, { ...times, audience: 'us', issuer: 'us' })
          expect(['ok', 'expired', 'invalid']).toContain(result)
          const exp = Object.hasOwn(payload, 'exp') ? payload.exp : NOW + 1
          if (typeof exp !== 'number' || exp <= NOW) expect(result).not.toBe('ok')
        },
      ),
    )
  })
})

describe('the checks of simplejwt', () => {
  it('ask for an expiry that has not passed', () => {
    expect(checkExpiry(good, 'exp', times)).toBeUndefined()
    expect(checkExpiry({ refresh_exp: NOW + 1 }, 'refresh_exp', times)).toBeUndefined()
    expect(checkExpiry(good, 'refresh_exp', times)).toBe('no_expiry')
    expect(checkExpiry({ refresh_exp: NOW }, 'refresh_exp', times)).toBe('expiry_passed')
    expect(checkExpiry({ refresh_exp: NOW }, 'refresh_exp', { ...times, leewaySeconds: 1 })).toBeUndefined()
    for (const exp of ['1', null, [], {}, true]) expect(checkExpiry({ exp }, 'exp', times)).toBe('invalid')
    expect(checkExpiry({}, 'constructor', times)).toBe('no_expiry')
  })

  it('ask for an id, whatever it is', () => {
    for (const jti of ['x', null, 7]) expect(checkJti({ jti }, 'jti')).toBeUndefined()
    expect(checkJti({}, 'jti')).toBe('no_jti')
    expect(checkJti({}, 'constructor')).toBe('no_jti')
    expect(checkJti({}, null)).toBeUndefined()
  })

  it('ask for the type', () => {
    expect(checkTokenType(good, 'token_type', 'access')).toBeUndefined()
    for (const type of ['refresh', 'Access', null, ['access']]) {
      expect(checkTokenType({ token_type: type }, 'token_type', 'access')).toBe('wrong_type')
    }
    expect(checkTokenType({}, 'token_type', 'access')).toBe('no_type')
    expect(checkTokenType({}, null, 'access')).toBeUndefined()
  })
})

describe('claimMessage', () => {
  it.each([
    ['invalid', 'exp', 'Token is invalid or expired'],
    ['expired', 'exp', 'Token is invalid or expired'],
    ['no_expiry', 'exp', "Token has no 'exp' claim"],
    ['no_expiry', 'refresh_exp', "Token has no 'refresh_exp' claim"],
    ['expiry_passed', 'refresh_exp', "Token 'refresh_exp' claim has expired"],
    ['no_jti', 'exp', 'Token has no id'],
    ['no_type', 'exp', 'Token has no type'],
    ['wrong_type', 'exp', 'Token has wrong type'],
    ['blacklisted', 'exp', 'Token is blacklisted'],
  ] as const)('says simplejwt’s words for %s (%s)', (fault, claim, message) => {
    expect(claimMessage(fault, claim)).toBe(message)
  })
})

describe('numericDate', () => {
  it('is a JSON number of a time that calendars have', () => {
    expect(numericDate(1.5)).toBe(1.5)
    expect(numericDate(253_402_300_799)).toBe(253_402_300_799)
    for (const value of ['1', true, null, undefined, [], 1e12, -1e12, Number.NaN]) {
      expect(numericDate(value)).toBeUndefined()
    }
  })
})
