import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { basicAuthentication } from '../authenticators/basic.js'
import { jwtKind } from '../authenticators/jwt.js'
import { sessionAuthentication } from '../authenticators/session.js'
import { tokenAuthentication } from '../authenticators/token.js'
import type { User } from '../identity.js'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import type { LatchkeyOptions } from '../latchkey-options.js'
import { argon2id } from '../passwords/argon2id.js'
import { defineScopes } from '../permissions/define-scopes.js'
import { hasScope } from '../permissions/has-scope.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { type FakeRequestOptions, fakeRequest } from '../testing/fake-request.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { apiView } from '../views/api-view.js'
import type { View } from '../views/view.js'
import { type PersonalTokens, type PersonalTokensOptions, personalTokens } from './personal-tokens.js'

const START_MS = Date.UTC(2030, 0, 1, 12)
const DAY_MS = 86_400_000
const SECRET = 'a secret of at least thirty-two characters'
const PASSWORD = 'open sesame 1'

/** As the parser of a caller's JSON gives it. */
interface Listed {
  readonly id: number
  readonly hint: string
  readonly token: string
  readonly results: readonly Listed[]
  readonly next: number | null
  readonly [name: string]: unknown
}

interface Call extends FakeRequestOptions {
  readonly authorization?: string
  /** The path's `:id`. */
  readonly id?: string
  /** Sent as JSON. */
  readonly json?: unknown
}

describe('personalTokens', () => {
  const clock = fixedClock(START_MS)
  let store: Store
  let latchkey: Latchkey
  let personal: PersonalTokens
  let vitor: User
  let ana: User
  /** What vitor logs in with: a token of another policy, which may do everything. */
  let login: string
  let anaLogin: string
  let errors: unknown[]

  async function start(options: PersonalTokensOptions = {}, more: Partial<LatchkeyOptions> = {}) {
    clock.set(START_MS)
    errors = []
    store = memoryStore()
    personal = personalTokens(options)
    latchkey = createLatchkey({
      store,
      secret: SECRET,
      clock,
      policies: [personal.policy, ...(more.policies ?? [])],
      authentication: [
        tokenAuthentication(),
        basicAuthentication(),
        tokenAuthentication({ keyword: 'Bearer', policies: ['personal'], kinds: [jwtKind()] }),
        sessionAuthentication(),
      ],
      jwt: { signingKey: signingKey({ algorithm: 'HS256', key: 'k'.repeat(32) }) },
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      onError: (error) => errors.push(error),
      trustedProxies: more.trustedProxies ?? [],
    })
    vitor = await latchkey.users.create({ username: 'vitor', password: PASSWORD })
    ana = await latchkey.users.create({ username: 'ana' })
    login = `Token ${(await latchkey.tokens.issue({ user: vitor })).secret.reveal()}`
    anaLogin = `Token ${(await latchkey.tokens.issue({ user: ana })).secret.reveal()}`
  }

  beforeEach(() => start())

  async function ask(view: View, { authorization = login, id, json, ...more }: Call = {}) {
    const headers = {
      ...(authorization !== '' && { authorization }),
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...more.headers,
    }
    const request = fakeRequest({
      ...(json !== undefined && { body: JSON.stringify(json) }),
      ...more,
      headers,
    })
    const answer = await latchkey.handler(view)(request, { params: id === undefined ? {} : { id } })
    const text = typeof answer.body === 'string' ? answer.body : ''
    return { status: answer.status, headers: answer.headers, text, json: parsed(text) }
  }
  const parsed = (text: string): Listed => JSON.parse(text.startsWith('{') ? text : '{}')
  const header = (
    { headers }: { readonly headers: ReadonlyArray<readonly [string, string]> },
    name: string,
  ) => headers.find(([other]) => other.toLowerCase() === name)?.[1]
  const post = (view: View, json: unknown, more: Call = {}) => ask(view, { method: 'POST', json, ...more })
  const create = async (json: object = {}, more: Call = {}) => {
    const { status, json: created } = await post(personal.collection, { name: 'CI', ...json }, more)
    expect(status, JSON.stringify(created)).toBe(201)
    return created
  }
  const list = (query = '', more: Call = {}) =>
    ask(personal.collection, { url: `/api/tokens/${query}`, ...more })
  const item = (id: number | string, more: Call = {}) => ask(personal.item, { id: String(id), ...more })
  const rotate = (id: number | string, json: unknown = {}, more: Call = {}) =>
    post(personal.rotate, json, { id: String(id), ...more })
  const whoami = apiView({
    permissions: [isAuthenticated],
    get: ({ user, auth }) => ({ user: user.username, auth }),
  })
  const use = (token: string, more: Call = {}) => ask(whoami, { authorization: `Bearer ${token}`, ...more })
  /** How many tokens there are, of anybody. */
  const count = async () => (await latchkey.tokens.list()).length

  it('names the option that cannot work', () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      policyName: ['', 'Two words', 7],
      brand: ['', 'LK', 'a_b', 'x'.repeat(17)],
      kind: ['', 'a b'],
      ttlSeconds: [0, -1, Number.NaN, '90d'],
      maxTtlSeconds: [0, -1, Number.POSITIVE_INFINITY, '1y'],
      limitPerUser: [0, 1.5, '2'],
      keyword: ['', 'two words', 7],
      scopes: [['orders:read'], 'orders:read', {}],
      ownerScopes: [['orders:read'], true],
      managementAuthentication: [[], 'session', [tokenAuthentication]],
      scope: ['orders:read'],
    }
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const build = () => personalTokens({ [name]: value })
        expect(build, `${name} ${String(value)}`).toThrow(TypeError)
        expect(build, `${name} ${String(value)}`).toThrow(new RegExp(`^${name}:`))
      }
    }
    expect(() => personalTokens({ ttlSeconds: 10, maxTtlSeconds: 5 })).toThrow(/^ttlSeconds:/)
    expect(() => personalTokens({ ttlSeconds: null, maxTtlSeconds: 5 })).toThrow(/^ttlSeconds:/)
    expect(() => personalTokens({ ttlSeconds: null, limitPerUser: 5 })).toThrow(/^limitPerUser:/)
    expect(personalTokens({ maxTtlSeconds: 60 }).policy.ttlSeconds).toBe(60)
  })

  it('has a brand, a kind, a keyword and a name of its own, beside another such system', async () => {
    const deploy = personalTokens({ policyName: 'deploy', brand: 'acme', kind: 'dk', keyword: 'Key' })
    await start({}, { policies: [deploy.policy] })
    const { token } = (await post(deploy.collection, { name: 'CD' })).json
    expect(token).toMatch(/^acme_dk_[0-9A-Za-z]{39}$/)
    const view = apiView({ authentication: [deploy.authentication], get: ({ user }) => ({ user }) })
    expect((await ask(view, { authorization: `key ${token}` })).status).toBe(200)
    expect((await ask(view, { authorization: `Key ${(await create()).token}` })).status).toBe(401)
    expect((await use(token)).status).toBe(401)
    expect((await list()).json.results).toHaveLength(1)
  })

  describe('created', () => {
    it('answer 201 with the token, and with all there is to know', async () => {
      const answer = await post(personal.collection, {
        name: ' night job ',
        scopes: ['orders:read', 'orders:read', 'users:*'],
        expires_in: 3600,
        allowed_addresses: ['127.0.0.1', '10.0.0.0/8'],
      })
      const { token, id, hint, ...rest } = answer.json
      expect(answer.status).toBe(201)
      expect(header(answer, 'cache-control')).toBe('no-store')
      expect(token).toMatch(/^lk_pat_[0-9A-Za-z]{39}$/)
      expect(hint).toBe(`lk_pat_…${token.slice(-4)}`)
      expect(id).toBeTypeOf('number')
      expect(rest).toEqual({
        name: 'night job',
        scopes: ['orders:read', 'users:*'],
        allowed_addresses: ['127.0.0.1', '10.0.0.0/8'],
        created_at: '2030-01-01T12:00:00.000Z',
        expires_at: '2030-01-01T13:00:00.000Z',
        previous: null,
      })
      expect((await use(token)).json.user).toBe('vitor')
    })

    it('live 90 days, have no limits and come from anywhere, unless the caller says otherwise', async () => {
      expect(await create()).toMatchObject({
        scopes: null,
        allowed_addresses: null,
        expires_at: new Date(START_MS + 90 * DAY_MS).toISOString(),
      })
      expect((await create({ expires_in: null })).expires_at).toBeNull()
      expect((await create({ scopes: [], allowed_addresses: null })).scopes).toEqual([])
    })

    it('may be asked for by a form, of a browser that logged in too', async () => {
      const form = { 'content-type': 'application/x-www-form-urlencoded' }
      const answer = await ask(personal.collection, {
        method: 'POST',
        headers: form,
        body: 'name=from+a+form&expires_in=60',
      })
      expect(answer.json).toMatchObject({ name: 'from a form', expires_at: '2030-01-01T12:01:00.000Z' })
      const { secret } = await latchkey.sessions.start(vitor)
      const csrf = 'c'.repeat(32)
      const cookie = `sessionid=${secret.reveal()}; csrftoken=${csrf}`
      const submit = (body: string) =>
        ask(personal.collection, { method: 'POST', authorization: '', headers: { ...form, cookie }, body })
      expect((await submit(`name=mine&csrfmiddlewaretoken=${csrf}`)).status).toBe(201)
      expect((await submit('name=forged')).status).toBe(403)
      expect(await count()).toBe(4)
    })

    it('may have the scopes that exist only, from the command line and from code as well', async () => {
      const scopes = defineScopes({ 'orders:read': 'See orders', 'orders:write': 'Change orders' })
      await start({ scopes })
      expect((await create({ scopes: ['orders:*', 'orders:read'] })).scopes).toEqual([
        'orders:*',
        'orders:read',
      ])
      const answer = await post(personal.collection, { name: 'x', scopes: ['order:read'] })
      expect([answer.status, answer.json]).toEqual([
        400,
        { scopes: ['Item 1 is not one of the scopes that exist here.'] },
      ])
      const issue = latchkey.tokens.issue({ user: vitor, policy: 'personal', scopes: ['order:read'] })
      await expect(issue).rejects.toMatchObject({ code: 'invalid' })
    })

    it('live no longer than the longest life, when created and when rotated', async () => {
      await start({ maxTtlSeconds: 100 })
      const { id } = await create({ expires_in: 100 })
      for (const expires_in of [101, null]) {
        for (const answer of [
          await post(personal.collection, { name: 'x', expires_in }),
          await rotate(id, { expires_in }),
        ]) {
          expect([answer.status, answer.json]).toEqual([
            400,
            { expires_in: ['Ensure that the token ends within 100 seconds.'] },
          ])
        }
      }
      expect((await item(id)).json.previous).toBeNull()
      expect((await rotate(id, { expires_in: 50 })).json.expires_at).toBe('2030-01-01T12:00:50.000Z')
    })

    it('are no more per user than the limit, which nothing gets past', async () => {
      await start({ limitPerUser: 2 })
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => post(personal.collection, { name: 'x' })),
      )
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(2)
      for (const { status, json } of answers.filter((answer) => answer.status !== 201)) {
        expect(status).toBe(403)
        expect(json).toEqual({ detail: 'Maximum amount of tokens allowed per user exceeded.' })
      }
      const endless = await post(personal.collection, { name: 'x', expires_in: null })
      expect([endless.status, endless.json]).toEqual([400, { expires_in: ['This field may not be null.'] }])
      const [first] = (await list()).json.results
      expect((await rotate(first?.id ?? 0, { expires_in: null })).status).toBe(400)
      await create({}, { authorization: anaLogin })
      await item(first?.id ?? 0, { method: 'DELETE' })
      await create({ expires_in: 10 })
      clock.advance(10)
      await create()
    })
  })

  describe('the secret', () => {
    it('is in the answer that made it, and in no other: not in a list, an item, OPTIONS or a page', async () => {
      const created = await create()
      const { id, token: first } = created
      const { token: second } = (await rotate(id)).json
      await use(first)
      await use(second)
      const texts: string[] = []
      for (const accept of ['application/json', 'text/html']) {
        for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'PATCH']) {
          for (const view of [personal.collection, personal.item, personal.rotate]) {
            const answer = await ask(view, { id: String(id), method, headers: { accept } })
            texts.push(answer.text, JSON.stringify(answer.headers))
            expect(header(answer, 'cache-control')).toBe('no-store')
          }
        }
      }
      const invalid = await post(personal.collection, { name: first, scopes: [first], token: second })
      texts.push(invalid.text, (await use(`${first}x`)).text, JSON.stringify(await latchkey.tokens.list()))
      expect(texts.some((text) => text.includes(String(created.hint)))).toBe(true)
      for (const text of texts) {
        for (const secret of [first, second]) {
          for (let at = 0; at + 12 <= secret.length; at += 1)
            if (at + 12 > 'lk_pat_'.length + 4) expect(text).not.toContain(secret.slice(at, at + 12))
        }
      }
      expect(errors).toEqual([])
    })
  })

  describe('listed', () => {
    it('are the caller’s own, with their uses', async () => {
      const { id, token } = await create({ scopes: ['orders:read'], expires_in: 3600 })
      await create({}, { authorization: anaLogin })
      clock.advance(5)
      await use(token, { remoteAddress: '192.0.2.1' })
      clock.advance(5)
      await use(token, { remoteAddress: '2001:db8::7' })
      const expected = {
        id,
        name: 'CI',
        hint: `lk_pat_…${token.slice(-4)}`,
        scopes: ['orders:read'],
        allowed_addresses: null,
        created_at: '2030-01-01T12:00:00.000Z',
        expires_at: '2030-01-01T13:00:00.000Z',
        use_count: 2,
        last_used_at: '2030-01-01T12:00:10.000Z',
        last_used_address: '2001:db8::7',
        previous: null,
      }
      expect((await list()).json).toEqual({ results: [expected], next: null })
      expect((await item(id)).json).toEqual(expected)
    })

    it('come a page at a time', async () => {
      const ids: number[] = []
      for (let index = 0; index < 5; index += 1) ids.push((await create({ name: `no. ${index}` })).id)
      const pages: Array<readonly number[]> = []
      let query = '?limit=2'
      for (;;) {
        const { results, next } = (await list(query)).json
        pages.push(results.map(({ id }) => id))
        if (next === null) break
        query = `?limit=2&after=${next}`
      }
      expect(pages).toEqual([ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)])
      expect((await list(`?limit=5&after=${ids[0]}`)).json).toMatchObject({ next: null })
      expect((await list('?after=9007199254740991')).json).toEqual({ results: [], next: null })
    })

    it.each([
      'limit=',
      'limit=0',
      'limit=101',
      'limit=-1',
      'limit=1.5',
      'limit=1e1',
      'limit=0x10',
      'limit=%00',
      'limit=%F0%9F%98%80',
      `limit=${'9'.repeat(4000)}`,
      'limit=1;drop table tokens',
      'after=',
      'after=0',
      'after=-1',
      'after=9007199254740992',
      'after=9999999999999999',
      'after=null',
      'after[]=1&after=x',
      "after=1' OR '1'='1",
    ])('answer 400 to ?%s', async (query) => {
      const { status, json } = await list(`?${query}`)
      const name = query.startsWith('limit') ? 'limit' : 'after'
      const max = name === 'limit' ? 100 : Number.MAX_SAFE_INTEGER
      expect([status, json]).toEqual([400, { [name]: [`Must be a whole number from 1 to ${max}.`] }])
    })

    it('take any query without a 5xx', async () => {
      await create()
      const names = fc.constantFrom('limit', 'after', 'user', 'user_id', 'policy', 'hint', '__proto__')
      await fc.assert(
        fc.asyncProperty(names, fc.string({ unit: 'binary' }), async (name, value) => {
          const { status, json } = await list(
            `?${new URLSearchParams({ [name]: value.toWellFormed?.() ?? value })}`,
          )
          expect([200, 400]).toContain(status)
          if (name !== 'limit' && name !== 'after') expect(json.results).toHaveLength(1)
        }),
      )
      expect(errors).toEqual([])
    })
  })

  describe('rotated', () => {
    it('work with both secrets for the overlap, each counted apart, and with the new one after it', async () => {
      const {
        id,
        token: first,
        hint,
        expires_at,
      } = await create({ scopes: ['orders:read'], expires_in: 3600 })
      await use(first)
      const rotated = await rotate(id, { overlap_seconds: 100 })
      const second = rotated.json.token
      expect(rotated.status).toBe(200)
      expect(header(rotated, 'cache-control')).toBe('no-store')
      expect(rotated.json).toMatchObject({
        id,
        expires_at,
        scopes: ['orders:read'],
        previous: { hint, ends_at: '2030-01-01T12:01:40.000Z' },
      })
      expect(second).not.toBe(first)
      clock.advance(99)
      for (const token of [first, second, second]) expect((await use(token)).status).toBe(200)
      expect((await item(id)).json).toMatchObject({
        hint: `lk_pat_…${second.slice(-4)}`,
        use_count: 2,
        previous: {
          hint,
          use_count: 2,
          last_used_at: '2030-01-01T12:01:39.000Z',
          last_used_address: '127.0.0.1',
        },
      })
      clock.advance(1)
      expect([(await use(first)).status, (await use(second)).status]).toEqual([401, 200])
      expect((await use(first)).json).toEqual({ detail: 'Invalid token.' })
    })

    it('work with both for a day by default, with the new one only for an overlap of 0', async () => {
      const { id, token: first } = await create()
      const { token: second } = (await rotate(id)).json
      expect((await item(id)).json.previous).toMatchObject({ ends_at: '2030-01-02T12:00:00.000Z' })
      const { token: third } = (await rotate(id, { overlap_seconds: 0 })).json
      expect([await use(first), await use(second), await use(third)].map(({ status }) => status)).toEqual([
        401, 401, 200,
      ])
    })

    it('are done when told so: at once if the old secret is quiet, by force if it is not', async () => {
      const { id, token: first } = await create()
      const { token: second } = (await rotate(id)).json
      await use(first)
      const busy = await ask(personal.rotate, { method: 'DELETE', id: String(id) })
      expect([busy.status, busy.json]).toEqual([
        409,
        { detail: 'The previous secret is still in use: at 2030-01-01T12:00:00.000Z from 127.0.0.1.' },
      ])
      expect((await use(first)).status).toBe(200)
      clock.advance(3600)
      expect((await ask(personal.rotate, { method: 'DELETE', id: String(id) })).status).toBe(204)
      expect([(await use(first)).status, (await use(second)).status]).toEqual([401, 200])
      await rotate(id)
      await use(second)
      const url = '/api/tokens/1/rotate/?force=true'
      expect((await ask(personal.rotate, { method: 'DELETE', id: String(id), url })).status).toBe(204)
      expect((await use(second)).status).toBe(401)
      expect((await ask(personal.rotate, { method: 'DELETE', id: String(id) })).status).toBe(204)
    })

    it('at the same time leave the newest secret and the one before it, whoever was told which', async () => {
      const { id, token: first } = await create()
      const answers = await Promise.all(Array.from({ length: 10 }, () => rotate(id)))
      for (const { status } of answers) expect([200, 409]).toContain(status)
      const secrets = [first, ...answers.filter(({ status }) => status === 200).map(({ json }) => json.token)]
      const statuses = await Promise.all(secrets.map(async (secret) => (await use(secret)).status))
      expect(statuses.filter((status) => status === 200)).toHaveLength(2)
      expect(statuses.filter((status) => status === 401)).toHaveLength(secrets.length - 2)
    })

    it('once expired are gone: no rotation brings a secret back', async () => {
      const { id, token } = await create({ expires_in: 10 })
      clock.advance(10)
      expect((await rotate(id, { expires_in: 3600 })).status).toBe(404)
      expect(await latchkey.tokens.update(id, { ttlSeconds: 3600 })).toBe(false)
      expect((await use(token)).status).toBe(401)
    })
  })

  describe('revoked', () => {
    it('are refused from the moment of the 204, both secrets, and gone from the list', async () => {
      const { id, token: first } = await create()
      const { token: second } = (await rotate(id)).json
      const other = await create()
      for (const token of [first, second]) expect((await use(token)).status).toBe(200)
      const answer = await item(id, { method: 'DELETE' })
      expect([answer.status, answer.text]).toEqual([204, ''])
      for (const token of [first, second]) expect((await use(token)).status).toBe(401)
      expect((await list()).json.results.map((token) => token.id)).toEqual([other.id])
      expect((await item(id, { method: 'DELETE' })).status).toBe(404)
    })

    it('with their owner: a user who is deactivated is refused at once', async () => {
      const { token } = await create()
      expect((await use(token)).status).toBe(200)
      await latchkey.users.deactivate(vitor)
      const refused = await use(token)
      expect([refused.status, refused.json]).toEqual([401, { detail: 'User inactive or deleted.' }])
      expect((await list()).status).toBe(401)
      await latchkey.users.activate(vitor)
      expect((await use(token)).status).toBe(200)
    })
  })

  describe('of others', () => {
    it('answer every id alike, byte for byte, whether it is another’s, of another policy, or nobody’s', async () => {
      const { id: own } = await create()
      const theirs = await create({}, { authorization: anaLogin })
      await rotate(theirs.id, {}, { authorization: anaLogin })
      const [ownLogin] = await latchkey.tokens.list({ user: vitor, policy: 'authtoken' })
      const [herLogin] = await latchkey.tokens.list({ user: ana, policy: 'authtoken' })
      const ids = [
        ...[theirs.id, ownLogin?.id, herLogin?.id].map(String),
        // Their own by a name that it does not have.
        ...[`0${own}`, `+${own}`, ` ${own}`, `${own} `, `${own}.0`, `${own}e0`, `0x${own}`, `${own}\n`],
        ...['999', '', '0', '-1', '+1', '1e3', '1.0', '0x1', ' 1', '1 ', '01', '9'.repeat(400), '９'],
        ...[
          '\u0000',
          '%00',
          '../1',
          `${theirs.id}/`,
          `${theirs.id},1`,
          'null',
          '__proto__',
          'constructor',
          '😀',
          '\ud800',
        ],
      ]
      const before = await store.tokens.list({})
      const requests: ReadonlyArray<readonly [View, Call]> = [
        [personal.item, {}],
        [personal.item, { method: 'HEAD' }],
        [personal.item, { headers: { accept: 'text/html' } }],
        [personal.item, { method: 'DELETE' }],
        [personal.rotate, { method: 'POST' }],
        [personal.rotate, { method: 'POST', json: { overlap_seconds: 0 } }],
        [personal.rotate, { method: 'POST', json: { userId: vitor.id } }],
        [personal.rotate, { method: 'DELETE', url: '/?force=true' }],
      ]
      for (const [view, call] of requests) {
        const answers = await Promise.all(ids.map((id) => ask(view, { ...call, id })))
        for (const [index, answer] of answers.entries()) {
          expect(answer.status, `${call.method} ${ids[index]}`).toBe(404)
          expect(answer, `${call.method} ${ids[index]}`).toEqual(answers[0])
        }
        const known = await ask(view, { ...call, id: String(theirs.id), authorization: '' })
        expect(known).toEqual(await ask(view, { ...call, id: '999', authorization: '' }))
      }
      expect(await store.tokens.list({})).toEqual(before)
      expect(errors).toEqual([])
    })
  })

  describe('a body', () => {
    /** Every name that a token has somewhere: stored, in memory, in answers, and with underscores as columns. */
    async function everyName(known: readonly string[]) {
      await create()
      const [record] = await store.tokens.list({ policy: 'personal' })
      const [listed] = await latchkey.tokens.list({ policy: 'personal' })
      const { json } = await list()
      const names = [record, listed, json.results[0], personal.policy].flatMap((object) =>
        Object.keys(object ?? {}),
      )
      const more =
        'user user_id userId owner owner_id username is_superuser isSuperuser is_staff onePerUser limit limit_per_user slot ' +
        'id pk policy token secret key digest hint sealed name scopes scope abilities expiry expires_at expiresAt ttl ' +
        'ttl_seconds ttlSeconds created created_at allowedAddresses last_used_at use_count previous previous_digest ' +
        'previous_hint previous_ends_at __proto__ constructor prototype hasOwnProperty toString length 0'
      const all = new Set([...names, ...names.map(snakeCase), ...more.split(' '), ''])
      return [...all].filter((name) => !known.includes(name))
    }
    const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    /** JSON.stringify would leave `__proto__` out. */
    const bodyWith = (base: object, name: string, value: unknown) =>
      `${JSON.stringify(base).slice(0, -1)}${Object.keys(base).length > 0 ? ',' : ''}${JSON.stringify(name)}:${JSON.stringify(value)}}`
    const send = (view: View, body: string, more: Call = {}) =>
      ask(view, { method: 'POST', body, headers: { 'content-type': 'application/json' }, ...more })

    it('with anything that a caller cannot set makes nothing, and says what it was', async () => {
      const created = ['name', 'scopes', 'expires_in', 'allowed_addresses']
      for (const name of await everyName(created)) {
        for (const value of [ana.id, null, 'x', true]) {
          const answer = await send(personal.collection, bodyWith({ name: 'x', expires_in: 60 }, name, value))
          expect([answer.status, answer.text]).toEqual([
            400,
            `{${JSON.stringify(name)}:["This field cannot be set."]}`,
          ])
        }
      }
      expect(await latchkey.tokens.list({ policy: 'personal' })).toHaveLength(1)
      expect(await latchkey.tokens.list({ user: ana, policy: 'personal' })).toHaveLength(0)
    })

    it('of a rotation the same', async () => {
      const { id, token } = await create()
      const before = await store.tokens.findById(id)
      for (const name of await everyName(['overlap_seconds', 'expires_in'])) {
        const answer = await send(personal.rotate, bodyWith({}, name, 'x'), { id: String(id) })
        expect([answer.status, answer.text], name).toEqual([
          400,
          `{${JSON.stringify(name)}:["This field cannot be set."]}`,
        ])
      }
      expect(await store.tokens.findById(id)).toEqual(before)
      expect((await use(token)).status).toBe(200)
    })

    it('names at most 20 unknown members, and no long ones', async () => {
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`field${index}`, 1]))
      const { status, json } = await post(personal.collection, { name: 'x', ...many })
      expect([status, Object.keys(json)]).toEqual([400, Object.keys(many).slice(0, 20)])
      const long = await post(personal.collection, { name: 'x', ['é😀'.repeat(50_000)]: 1 })
      expect(long.status).toBe(400)
      expect(long.text.length).toBeLessThan(1000)
    })

    it.each(['[]', '[{"name":"x"}]', '"name"', '7', '1.5', 'true', 'null', '', '{}'])(
      '%s makes nothing',
      async (body) => {
        const answer = await send(personal.collection, body)
        expect(answer.status).toBe(400)
        expect(await count()).toBe(2)
      },
    )

    it.each(['[]', '"x"', '7', '1.5', 'true', 'null'])('%s rotates nothing', async (body) => {
      const { id } = await create()
      expect((await send(personal.rotate, body, { id: String(id) })).status).toBe(400)
      expect((await item(id)).json.previous).toBeNull()
    })

    const texts = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant('x'.repeat(101)))
    const anything = fc.oneof(fc.jsonValue(), texts)
    const notText = anything.filter((value) => typeof value !== 'string')
    const isWhole = (value: unknown, min: number) =>
      (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= 100 * 366 * 86_400) ||
      (typeof value === 'string' && /^\d{1,12}$/.test(value) && isWholeNumber(Number(value), min))
    const isWholeNumber = (value: number, min: number) => value >= min && value <= 100 * 366 * 86_400
    const notSeconds = (min: number) =>
      fc
        .oneof(
          anything,
          fc.double(),
          fc.bigInt().map(Number),
          fc.constantFrom(-1, 1e12, 2 ** 53, '1e3', ' 1', '-1', ''),
        )
        .filter((value) => value !== null && !isWhole(value, min))
        // What JSON can say.
        .filter((value) => typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0)))
    const notList = anything.filter((value) => value !== null && !Array.isArray(value))
    const badItems = fc.array(
      fc.oneof(notText, fc.constantFrom('', ' ', 'two words', '*:a', 'x'.repeat(101))),
      {
        minLength: 1,
      },
    )
    const WRONG: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
      name: fc.oneof(
        notText,
        fc.constantFrom(
          '',
          '   ',
          '\n',
          'x'.repeat(101),
          '😀'.repeat(101),
          'a\u0000b',
          'a\u001b[2Jb',
          'a\u0085b',
          'a\ud800b',
        ),
      ),
      scopes: fc.oneof(
        notList,
        badItems,
        fc.constant(Array.from({ length: 101 }, (_, index) => `s${index}`)),
      ),
      allowed_addresses: fc.oneof(
        notList,
        badItems,
        fc.constantFrom(
          [],
          ['10.0.0.5/8'],
          ['10.0.0.0/33'],
          ['::/129'],
          ['localhost'],
          ['1.2.3'],
          ['010.0.0.1'],
        ),
        fc.constant(Array.from({ length: 51 }, (_, index) => `10.0.0.${index}`)),
      ),
      expires_in: notSeconds(1),
    }

    it.each(Object.entries(WRONG))('with a wrong `%s` makes nothing', async (name, values) => {
      await fc.assert(
        fc.asyncProperty(values, async (value) => {
          const { status, json } = await post(personal.collection, { name: 'x', [name]: value })
          expect([status, Object.keys(json)], JSON.stringify(value)).toEqual([400, [name]])
        }),
        { numRuns: 200 },
      )
      expect(await count()).toBe(2)
      expect(errors).toEqual([])
    })

    it('of a rotation with a wrong member rotates nothing', async () => {
      const { id } = await create()
      const wrong = fc.oneof(
        fc.tuple(fc.constant('overlap_seconds'), notSeconds(0)),
        fc.tuple(fc.constant('expires_in'), notSeconds(1)),
      )
      await fc.assert(
        fc.asyncProperty(wrong, async ([name, value]) => {
          const { status, json } = await rotate(id, { [name]: value })
          expect([status, Object.keys(json)], JSON.stringify(value)).toEqual([400, [name]])
        }),
        { numRuns: 200 },
      )
      expect((await item(id)).json.previous).toBeNull()
    })

    it('of any shape and type is never a 5xx', async () => {
      const { id } = await create()
      const members = fc.constantFrom(
        'name',
        'scopes',
        'expires_in',
        'allowed_addresses',
        'overlap_seconds',
        'x',
      )
      const bodies = fc.oneof(fc.dictionary(members, anything), fc.jsonValue())
      await fc.assert(
        fc.asyncProperty(bodies, async (body) => {
          expect([201, 400]).toContain((await post(personal.collection, body)).status)
          expect([200, 400]).toContain((await rotate(id, body)).status)
        }),
        { numRuns: 200 },
      )
      expect(errors).toEqual([])
    })
  })

  describe('who may manage them', () => {
    const everyRequest = (id: number): ReadonlyArray<readonly [View, Call]> => [
      [personal.collection, {}],
      [personal.collection, { method: 'HEAD' }],
      [personal.collection, { method: 'OPTIONS' }],
      [personal.collection, { method: 'POST', json: { name: 'x' } }],
      [personal.item, { id: String(id) }],
      [personal.item, { id: String(id), method: 'DELETE' }],
      [personal.rotate, { id: String(id), method: 'POST' }],
      [personal.rotate, { id: String(id), method: 'DELETE' }],
    ]
    async function expectRefused(authorization: string, status: number, detail: string) {
      const { id } = await create()
      const before = await store.tokens.list({})
      for (const [view, call] of everyRequest(id)) {
        const answer = await ask(view, { ...call, authorization })
        expect([answer.status, answer.json], call.method).toEqual([status, { detail }])
      }
      expect(await store.tokens.list({})).toEqual(before)
    }
    const DENIED = 'A personal token cannot manage tokens: log in.'

    it('is nobody: 401', () => expectRefused('', 401, 'Authentication credentials were not provided.'))

    it('is no personal token, with scopes or without', async () => {
      const all = await create({ scopes: ['*'] })
      await expectRefused(`Bearer ${all.token}`, 403, DENIED)
      const { id, token } = await create()
      await expectRefused(`Bearer ${token}`, 403, DENIED)
      await rotate(id)
      await expectRefused(`Bearer ${token}`, 403, DENIED)
    })

    it.each([
      { scope: 'orders:read' },
      { scope: '' },
      { scope: '*' },
      { scope: null },
      { scopes: ['*'] },
      { scopes: [] },
      { scopes: null },
    ])('is no JWT with the claims %j', async (claims) => {
      const { access } = await latchkey.jwts!.issuePair(vitor, { claims: () => claims })
      await expectRefused(`Bearer ${access}`, 403, DENIED)
    })

    it('is no token of another policy that was issued with scopes', async () => {
      await latchkey.tokens.revokeAll({ user: vitor, policy: 'authtoken' })
      const scoped = await latchkey.tokens.issue({ user: vitor, scopes: ['*'] })
      const { id } = (await latchkey.tokens.issue({ user: vitor, policy: 'personal' })).token
      for (const [view, call] of everyRequest(id)) {
        const answer = await ask(view, { ...call, authorization: `Token ${scoped.secret.reveal()}` })
        expect([answer.status, answer.json]).toEqual([403, { detail: DENIED }])
      }
    })

    it('is the user: by a token that may do everything, a password, or a JWT of their own login', async () => {
      const { access } = await latchkey.jwts!.issuePair(vitor)
      const basic = `Basic ${Buffer.from(`vitor:${PASSWORD}`).toString('base64')}`
      for (const authorization of [login, basic, `Bearer ${access}`]) {
        const { id } = await create({}, { authorization })
        expect((await rotate(id, {}, { authorization })).status).toBe(200)
        expect((await item(id, { authorization, method: 'DELETE' })).status).toBe(204)
      }
    })

    it('is who the app says, by authenticators of its own', async () => {
      await start({ managementAuthentication: [basicAuthentication()] })
      const refused = await list()
      expect([refused.status, header(refused, 'www-authenticate')]).toEqual([401, 'Basic realm="api"'])
      const authorization = `Basic ${Buffer.from(`vitor:${PASSWORD}`).toString('base64')}`
      expect((await list('', { authorization })).status).toBe(200)
    })
  })

  describe('scopes', () => {
    const orders = apiView({ permissions: [hasScope('orders:read')], get: () => ({ ok: true }) })
    const read = (token: string) => ask(orders, { authorization: `Bearer ${token}` })
    const ownerScopes = (user: User) =>
      user.isStaff ? null : user.email === '' ? ['orders:*'] : ['billing:read']

    it('restrict what a token may do', async () => {
      const tokens = [['orders:read'], ['orders:*'], ['*'], null, ['orders:write'], ['billing:*'], []]
      const statuses = []
      for (const scopes of tokens) statuses.push((await read((await create({ scopes })).token)).status)
      expect(statuses).toEqual([200, 200, 200, 200, 403, 403, 403])
    })

    it('are never more than the owner has: not when created', async () => {
      await start({ ownerScopes })
      await create({ scopes: ['orders:read', 'orders.items:write', 'orders:*'] })
      for (const scopes of [['billing:read'], ['*'], ['orders:read', 'users:read']]) {
        const answer = await post(personal.collection, { name: 'x', scopes })
        expect([answer.status, answer.json]).toEqual([
          400,
          { scopes: ['The owner does not have all of these scopes.'] },
        ])
      }
      expect((await list()).json.results).toHaveLength(1)
    })

    it('shrink and grow with their owner’s, from the next request on', async () => {
      await start({ ownerScopes })
      const tokens = [await create({ scopes: ['orders:read'] }), await create({ scopes: null })]
      const statuses = () => Promise.all(tokens.map(async ({ token }) => (await read(token)).status))
      expect(await statuses()).toEqual([200, 200])
      await latchkey.users.update(vitor, { email: 'moved@example.com' })
      expect(await statuses()).toEqual([403, 403])
      expect((await use(tokens[1]?.token ?? '')).json.auth).toMatchObject({ scopes: ['billing:read'] })
      await latchkey.users.update(vitor, { isStaff: true })
      expect(await statuses()).toEqual([200, 200])
      await latchkey.users.update(vitor, { isStaff: false, email: '' })
      expect(await statuses()).toEqual([200, 200])
    })
  })

  describe('addresses', () => {
    const from = async (token: string, remoteAddress: string, forwarded?: string) =>
      (
        await use(token, {
          remoteAddress,
          ...(forwarded !== undefined && { headers: { 'x-forwarded-for': forwarded } }),
        })
      ).status

    it('are those of the connection: what a caller writes into X-Forwarded-For does not help', async () => {
      const { token } = await create({ allowed_addresses: ['192.0.2.0/24', '2001:db8::/32'] })
      expect(await from(token, '192.0.2.9')).toBe(200)
      expect(await from(token, '::ffff:192.0.2.9')).toBe(200)
      expect(await from(token, '2001:db8:1::1')).toBe(200)
      for (const forwarded of ['192.0.2.9', '192.0.2.9, 192.0.2.9', '::ffff:192.0.2.9', '2001:db8::1'])
        expect(await from(token, '198.51.100.1', forwarded)).toBe(401)
    })

    it('are those that a trusted proxy saw', async () => {
      await start({}, { trustedProxies: ['10.0.0.0/8'] })
      const { token } = await create({ allowed_addresses: ['192.0.2.0/24'] })
      expect(await from(token, '10.0.0.1', '192.0.2.9')).toBe(200)
      expect(await from(token, '10.0.0.1', '198.51.100.1, 192.0.2.9, 10.1.1.1')).toBe(200)
      // The left of the list is what the caller sent; the right is what the proxy saw.
      expect(await from(token, '10.0.0.1', '192.0.2.9, 198.51.100.1')).toBe(401)
      expect(await from(token, '10.0.0.1')).toBe(401)
      expect(await from(token, '192.0.2.9', '10.0.0.1')).toBe(200)
      expect(await from(token, '198.51.100.1', '192.0.2.9')).toBe(401)
    })

    it('that are wrong are answered as an unknown token is, and counted as no use', async () => {
      const { id, token } = await create({ allowed_addresses: ['192.0.2.0/24'] })
      const refused = await use(token, { remoteAddress: '198.51.100.1' })
      const unknown = await use('0'.repeat(40), { remoteAddress: '198.51.100.1' })
      expect(refused).toEqual(unknown)
      expect((await item(id)).json.use_count).toBe(0)
    })
  })

  it('answers OPTIONS, pages and wrong methods as every view', async () => {
    const options = await ask(personal.collection, { method: 'OPTIONS' })
    expect(options.json).toMatchObject({
      name: 'Personal Token List',
      description: 'The personal access tokens of the user who asks.',
    })
    expect(header(options, 'allow')).toBe('GET, POST, HEAD, OPTIONS')
    expect((await ask(personal.item, { id: '1', method: 'PUT' })).status).toBe(405)
    const page = await list('', { headers: { accept: 'text/html' } })
    expect(page.text).toContain('<h1>Personal Token List</h1>')
  })
})
