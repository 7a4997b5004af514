/** Credentials that browsers send by themselves, and requests that pages of other sites make them send. */
import { expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from '../views/api-view.js'
import type { Authenticator } from './authenticator.js'
import { basicAuthentication } from './basic.js'
import { ambientAuthentication, type OwnOriginOptions } from './own-origin.js'
import { remoteUserAuthentication } from './remote-user.js'

const latchkey = createLatchkey({
  store: memoryStore(),
  secret: 'a secret of at least thirty-two characters',
  passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
  loginRate: null,
})
const user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })

/** A client certificate that the TLS server in front has checked. */
const certificate: Authenticator = {
  name: 'CertificateAuthentication',
  challenge: null,
  authenticate: (request) => (request.header('x-client-verified') === 'vitor' ? { user, auth: null } : null),
}

const KINDS: Readonly<Record<string, (options: OwnOriginOptions) => Authenticator>> = {
  basic: (options) => basicAuthentication(options),
  'remote user': (options) => remoteUserAuthentication({ ...options, trustedProxies: ['127.0.0.1'] }),
  'of your own': (options) => ambientAuthentication(certificate, options),
}
const CREDENTIALS = {
  authorization: `Basic ${Buffer.from('vitor:open sesame 1').toString('base64')}`,
  'remote-user': 'vitor',
  'x-client-verified': 'vitor',
}

async function write(
  authenticator: Authenticator,
  headers: Readonly<Record<string, string>>,
  request: { readonly method?: string; readonly secure?: boolean } = {},
): Promise<{ readonly status: number; readonly body: string }> {
  const view = apiView({
    authentication: [authenticator],
    permissions: [isAuthenticated],
    get: () => ({}),
    post: () => ({}),
    put: () => ({}),
    patch: () => ({}),
    delete: () => ({}),
  })
  const { status, body } = await latchkey.handler(view)(
    fakeRequest({ method: 'POST', ...request, headers: { host: 'api.test', ...CREDENTIALS, ...headers } }),
  )
  return { status, body: String(body) }
}

const FOREIGN: ReadonlyArray<Readonly<Record<string, string>>> = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: '' },
  { origin: 'http://api.test.evil.example' },
  { origin: 'http://api.test:8000' },
  { origin: 'http://sub.api.test', 'sec-fetch-site': 'same-site' },
  { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'anything-else' },
]
const OWN: ReadonlyArray<Readonly<Record<string, string>>> = [
  {},
  { referer: 'https://evil.example/' },
  { origin: 'http://api.test' },
  { origin: 'https://api.test' },
  { origin: 'http://api.test', host: 'API.test:80' },
  { origin: 'https://api.test', host: 'api.test:443' },
  { origin: 'http://api.test:8000', host: 'api.test:8000' },
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none' },
  // A proxy changed the host; the browser has compared it with the one that it knows.
  { origin: 'https://api.test', host: 'backend:8000', 'sec-fetch-site': 'same-origin' },
]

it.each(Object.keys(KINDS))('%s: refuses what a page of another site made the browser send', async (kind) => {
  const authenticator = KINDS[kind]?.({}) ?? certificate
  for (const headers of FOREIGN) {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      const { status, body } = await write(authenticator, headers, { method })
      expect([headers, method, status]).toEqual([headers, method, 403])
      expect(JSON.parse(body).detail).toMatch(
        /^CSRF Failed: Origin checking failed - .* does not match any trusted origins\.$/,
      )
    }
    expect((await write(authenticator, headers, { method: 'GET' })).status).toBe(200)
  }
})

it.each(Object.keys(KINDS))('%s: takes what own pages and other programs send', async (kind) => {
  const authenticator = KINDS[kind]?.({}) ?? certificate
  for (const headers of OWN) {
    expect([headers, (await write(authenticator, headers)).status]).toEqual([headers, 200])
  }
  expect((await write(authenticator, { origin: 'https://api.test' }, { secure: true })).status).toBe(200)
  expect((await write(authenticator, { origin: 'http://api.test' }, { secure: true })).status).toBe(403)
})

it.each(Object.keys(KINDS))('%s: takes trusted origins, or any, where it is told to', async (kind) => {
  const make = KINDS[kind] ?? (() => certificate)
  const trusting = make({ trustedOrigins: ['https://app.example'] })
  const crossSite = { 'sec-fetch-site': 'cross-site' }
  expect((await write(trusting, { origin: 'https://app.example', ...crossSite })).status).toBe(200)
  expect((await write(trusting, { origin: 'https://app.example.evil', ...crossSite })).status).toBe(403)
  expect((await write(trusting, { origin: 'http://app.example' })).status).toBe(403)
  expect((await write(make({ trustedOrigins: null }), { origin: 'https://evil.example' })).status).toBe(200)
  for (const wrong of ['app.example', 'https://app.example/', '*', '']) {
    expect(() => make({ trustedOrigins: [wrong] })).toThrow(/^trustedOrigins: must be a list of origins/)
  }
})

it('checks the origin before the password, so that no page counts as a guess', async () => {
  const authorization = `Basic ${Buffer.from('vitor:wrong').toString('base64')}`
  const answer = await write(basicAuthentication(), { authorization, origin: 'https://evil.example' })
  expect(answer.status).toBe(403)
  expect((await write(basicAuthentication(), { authorization })).status).toBe(401)
})

it('does not look at the origin of requests without such a credential', async () => {
  const { status, body } = await latchkey.handler(
    apiView({ authentication: [basicAuthentication()], permissions: [isAuthenticated], post: () => ({}) }),
  )(fakeRequest({ method: 'POST', headers: { origin: 'https://evil.example' } }))
  expect([status, String(body)]).toEqual([401, '{"detail":"Authentication credentials were not provided."}'])
})
