/** Every mistake of a caller is a TypeError that names the option, and comes before the first request. */
import { describe, expect, it } from 'vitest'
import { basicAuthentication } from './authenticators/basic.js'
import { jwtAuthentication, jwtKind } from './authenticators/jwt.js'
import { remoteUserAuthentication } from './authenticators/remote-user.js'
import { tokenAuthentication } from './authenticators/token.js'
import { knox } from './endpoints/knox.js'
import { requireJwts } from './jwt/jwt-service.js'
import { signingKey } from './jwt/signing-key.js'
import { createLatchkey } from './latchkey.js'
import { checkOptions, given, numberRule, orNull, required, TEXT, wholeNumber } from './options.js'
import { argon2id } from './passwords/argon2id.js'
import { pbkdf2Sha256 } from './passwords/pbkdf2.js'
import { all, any, not } from './permissions/combine.js'
import { isAuthenticated } from './permissions/is-authenticated.js'
import { permission } from './permissions/permission.js'
import { redisBroadcast } from './redis/broadcast.js'
import { redisCounters } from './redis/counters.js'
import { memoryStore } from './stores/memory.js'
import { throttleByUser } from './throttles/by-user.js'
import { apiView } from './views/api-view.js'
import { jsonParser } from './views/parsers/json.js'

const needed = () => ({ store: memoryStore(), secret: 'a secret of at least thirty-two characters' })
const latchkey = createLatchkey({
  ...needed(),
  passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
})

const HS256 = { algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' } as const
const jwts = requireJwts(createLatchkey({ ...needed(), jwt: { signingKey: signingKey(HS256) } }).jwts)
const user = { id: 1, username: 'vitor', isActive: true }

/** As JavaScript calls it, which no compiler has seen. */
const call = (method: (...args: never[]) => unknown, ...args: readonly unknown[]) =>
  Reflect.apply(method, undefined, args)
const on = (service: object, name: string, ...args: readonly unknown[]) =>
  Reflect.apply(Reflect.get(service, name), service, args)
const create = (options: object) => call(createLatchkey, { ...needed(), ...options })

const MISTAKES: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
  'no options': [() => call(createLatchkey), /^createLatchkey: takes an object/],
  'no store': [() => create({ store: undefined }), /^store: must be a store/],
  'a store that is none': [() => create({ store: {} }), /^store: must be a store/],
  'a secret that is a number': [() => create({ secret: 5 }), /^secret: must/],
  'a misspelt option': [() => create({ authentification: [] }), /^authentification: createLatchkey has no/],
  'an authenticator alone': [
    () => create({ authentication: tokenAuthentication() }),
    /^authentication: must/,
  ],
  'an authenticator uncalled': [() => create({ authentication: [tokenAuthentication] }), /^authentication:/],
  'no permission': [() => create({ permissions: [null] }), /^permissions: must be a list of permissions/],
  'a throttle that is a rate': [() => create({ throttles: ['10/min'] }), /^throttles: must/],
  'a parser by its name': [() => create({ parsers: ['json'] }), /^parsers: must/],
  'no renderer': [() => create({ renderers: [] }), /^renderers: must .* at least one/],
  'a proxy alone': [() => create({ trustedProxies: '10.0.0.1' }), /^trustedProxies: must be a list of texts/],
  'a clock that is a number': [() => create({ clock: 5 }), /^clock: must/],
  'a listener that is a text': [() => create({ onError: 'log' }), /^onError: must be a function/],
  'sessions without end': [() => create({ sessions: { ttlSeconds: 0 } }), /^sessions\.ttlSeconds: must/],
  'a misspelt session option': [() => create({ sessions: { ttl: 60 } }), /^sessions\.ttl: /],
  'a cookie name with a blank': [() => create({ sessions: { cookieName: 'a b' } }), /^sessions\.cookieName:/],
  'a hasher by its name': [
    () => create({ passwords: { preferred: 'argon2' } }),
    /^passwords\.preferred: must/,
  ],
  'a misspelt password option': [() => create({ passwords: { hasher: [] } }), /^passwords\.hasher: /],
  'a policy that is a text': [() => create({ policies: ['knox'] }), /^policies: must be a list of policies/],
  'all of knox as policy': [
    () => create({ policies: [knox()] }),
    /^policies: must be policies, each with a name/,
  ],
  'a misspelt JWT option': [() => create({ jwt: { signinKey: {} } }), /^jwt\.signinKey: /],
  'a key that is a text': [
    () => create({ jwt: { signingKey: 'x' } }),
    /^jwt\.signingKey: must be what signingKey/,
  ],
  'hours in place of seconds': [
    () => create({ jwt: { keys: 'store', accessTtlSeconds: '1h' } }),
    /^jwt\.accessTtlSeconds: must be a number from 0 to 315576000/,
  ],
  'a misspelt cookie option': [
    () => create({ jwt: { keys: 'store', cookies: { http: 1 } } }),
    /^jwt\.cookies\.http/,
  ],
  'a view that is a function': [() => call(latchkey.handler, () => 1), /^view: must be what apiView/],
  'a gate of one permission': [() => call(latchkey.gate, isAuthenticated), /^permissions: must be a list/],
  'a gate of names': [() => call(latchkey.gate, ['x']), /^permissions: must be a list/],
  'a misspelt keyword': [
    () => call(tokenAuthentication, { keywords: 'x' }),
    /^keywords: tokenAuthentication has/,
  ],
  'options that are a text': [
    () => call(tokenAuthentication, 'Bearer'),
    /^tokenAuthentication: takes an object/,
  ],
  'a policy alone': [() => call(tokenAuthentication, { policies: 'knox' }), /^policies: must/],
  'a kind uncalled': [() => call(tokenAuthentication, { kinds: [jwtKind] }), /^kinds: must/],
  'a throttle of Basic': [
    () => call(basicAuthentication, { throttle: '5/min' }),
    /^throttle: must be true or/,
  ],
  'no trusted proxy': [() => call(remoteUserAuthentication, {}), /^trustedProxies: must/],
  'an unknown JWT type': [() => call(jwtAuthentication, { tokenTypes: ['id'] }), /^tokenTypes: must/],
  'no view': [() => call(apiView), /^apiView: takes an object/],
  'a view without handlers': [() => apiView({}), /^apiView: needs a handler/],
  'a handler that is none': [() => call(apiView, { get: 5 }), /^get: must be a function/],
  'a method that is none': [() => call(apiView, { fetch: () => 1 }), /^fetch: apiView has no such option/],
  'methods without a handler': [() => call(apiView, ['GET']), /^handler: must be a function/],
  'a permission alone': [
    () => call(apiView, { permissions: isAuthenticated, get: () => 1 }),
    /^permissions: must be a list/,
  ],
  'all of nothing': [() => call(all), /^all: must .* at least one/],
  'any of a name': [() => call(any, isAuthenticated, 'isAdminUser'), /^any: must/],
  'not of nothing': [() => call(not, undefined), /^not: must/],
  'a permission without a name': [() => call(permission, () => true), /^name: must be a text/],
  'a user without options': [() => on(latchkey.users, 'create'), /^users\.create: takes an object/],
  'a user without a name': [() => on(latchkey.users, 'create', {}), /^username: must be a text/],
  'no password': [
    () => on(latchkey.users, 'create', { username: 'a', password: null }),
    /^password: must be a text/,
  ],
  'a no that is a text': [
    () => on(latchkey.users, 'create', { username: 'a', isActive: 'no' }),
    /^isActive: must/,
  ],
  "Django's name": [
    () => on(latchkey.users, 'create', { username: 'a', is_staff: true }),
    /^is_staff: users.create/,
  ],
  'a password left out': [() => on(latchkey.users, 'setPassword', 1), /^password: must be a text, or null/],
  'a change of everything': [
    () => on(latchkey.users, 'update', 1, { id: 2 }),
    /^id: users.update has no such/,
  ],
  'nobody, deactivated': [
    () => on(latchkey.users, 'deactivate', undefined),
    /^user: must be a user, or the id/,
  ],
  'nobody, deleted': [() => on(latchkey.users, 'delete', null), /^user: must be a user, or the id of one/],
  'a token of nobody': [() => on(latchkey.tokens, 'issue', {}), /^user: must be a user, or the id of one/],
  'a token without options': [() => on(latchkey.tokens, 'issue'), /^tokens\.issue: takes an object/],
  'a token of an empty object': [() => on(latchkey.tokens, 'issue', { user: {} }), /^user: must be a user/],
  'hours of a token': [
    () => on(latchkey.tokens, 'issue', { user: 1, ttlSeconds: '1h' }),
    /^ttlSeconds: must/,
  ],
  'minutes of a token': [() => on(latchkey.tokens, 'issue', { user: 1, ttlMinutes: 5 }), /^ttlMinutes: /],
  'no secret': [() => on(latchkey.tokens, 'verify', undefined), /^secret: must be a text/],
  'two secrets': [() => on(latchkey.tokens, 'verify', ['a', 'b']), /^secret: must be a text/],
  'no token': [() => on(latchkey.tokens, 'revoke', undefined), /^token: must be a token, or the id of one/],
  'the tokens of nobody': [() => on(latchkey.tokens, 'list', { user: undefined }), /^user: must be a user/],
  'the end of nobody': [() => on(latchkey.tokens, 'revokeAll', { user: undefined }), /^user: must be a user/],
  'the end of everything': [() => on(latchkey.tokens, 'revokeAll', {}), /^revokeAll: name a user/],
  'an overlap in words': [
    () => on(latchkey.tokens, 'rotate', 1, { overlapSeconds: '1d' }),
    /^overlapSeconds:/,
  ],
  'JWTs of nobody': [() => on(jwts, 'list', { user: undefined }), /^user: must be a user, or the id of one/],
  'a misspelt user of JWTs': [() => on(jwts, 'list', { usr: 1 }), /^usr: jwts\.list has no such option/],
  'the end of the JWTs of nobody': [() => on(jwts, 'revokeUser', undefined), /^user: must be a user/],
  'JWTs for a misspelt claim': [() => on(jwts, 'issuePair', user, { claim: {} }), /^claim: jwts\.issuePair/],
  'a change of nobody': [() => call(latchkey.userChanged), /^user: must be a user, or the id of one/],
  'a misspelt kid': [() => call(signingKey, { ...HS256, kidd: 'a' }), /^signingKey\.kidd: /],
  'a misspelt cost': [() => call(argon2id, { memory: 1 }), /^memory: argon2id has no such option/],
  'a misspelt number of rounds': [() => call(pbkdf2Sha256, { iteration: 1 }), /^iteration: pbkdf2/],
  'a misspelt option of a parser': [() => call(jsonParser, { strict: true }), /^strict: jsonParser has/],
  'a store of misspelt users': [() => call(memoryStore, { external: true }), /^external: memoryStore has/],
  'misspelt counters': [() => call(redisCounters, {}, { timeout: 5 }), /^timeout: redisCounters has/],
  'a misspelt broadcast': [() => call(redisBroadcast, {}, { chanel: 'x' }), /^chanel: redisBroadcast has/],
  'a throttle of no stage': [
    () => create({ throttles: [{ ...throttleByUser('1/min'), stage: 'adress' }] }),
    /^throttles: must be a list of throttles/,
  ],
  'a throttle without a rate': [
    () => create({ throttles: [{ name: 'x', stage: 'address', key: () => '' }] }),
    /^throttles: must be/,
  ],
  'an import of nothing': [
    () => on(latchkey.tokens, 'import', { user: 1 }),
    /^secret: must be a text of 1 to/,
  ],
}

describe("a caller's mistake", () => {
  it.each(Object.entries(MISTAKES))('%s', async (_name, [act, message]) => {
    const error = await (async () => act())().then(
      () => 'nothing was thrown',
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(TypeError)
    expect(String((error as TypeError).message)).toMatch(message)
  })
})

describe('options that are undefined', () => {
  it('are left out', () => {
    expect(Object.keys(given({ one: undefined, two: null, three: 0 }))).toEqual(['two', 'three'])
    expect(Reflect.apply(knox, undefined, [{ ttlSeconds: undefined }]).policy.ttlSeconds).toBe(36_000)
    expect(() => create({ loginRate: undefined, jwt: undefined, authentication: undefined })).not.toThrow()
  })
})

describe('rules', () => {
  const check = (value: unknown, rule: Parameters<typeof orNull>[0]) => () =>
    checkOptions('check', { value } as object, { value: rule } as object)

  it('say what must be', () => {
    expect(check(1.5, wholeNumber(0))).toThrow(new TypeError('value: must be a whole number of 0 or more'))
    expect(check(11, numberRule(0, 10))).toThrow(new TypeError('value: must be a number from 0 to 10'))
    expect(check(undefined, required(TEXT))).toThrow(new TypeError('value: must be a text'))
    expect(check(5, orNull(TEXT))).toThrow(new TypeError('value: must be a text, or null'))
    expect(check(null, orNull(TEXT))).not.toThrow()
    expect(check(undefined, TEXT)).not.toThrow()
  })

  it('know no option by what every object has', () => {
    expect(() => checkOptions('check', JSON.parse('{"__proto__": 1}'), {})).toThrow(
      /^__proto__: check has no/,
    )
    expect(() => checkOptions<object>('check', { toString: () => '' }, {})).toThrow(/^toString: check has no/)
  })
})
