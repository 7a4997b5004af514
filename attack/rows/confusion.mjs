/** Every kind of credential at every route, in every place of a request: only its own place at its own route opens one. */
import { hash } from 'node:crypto'
import { ROUTES } from '../lib/routes.mjs'

const form = (fields) => ({
  method: 'POST',
  headers: [['Content-Type', 'application/x-www-form-urlencoded']],
  body: new URLSearchParams(fields).toString(),
})
const json = (members) => ({
  method: 'POST',
  headers: [['Content-Type', 'application/json']],
  body: JSON.stringify(members),
})

const SCHEMES = ['Token', 'Bearer', 'Basic', 'JWT', 'Session', 'Digest', 'Negotiate', 'ApiKey', 'OAuth']
const HEADERS = [
  'Proxy-Authorization',
  'X-Authorization',
  'X-Forwarded-Authorization',
  'WWW-Authenticate',
  'X-API-Key',
]
const MORE_HEADERS = [
  'X-Auth-Token',
  'X-Access-Token',
  'X-CSRFToken',
  'Remote-User',
  'X-Remote-User',
  'X-Forwarded-User',
]
const COOKIES = [
  'sessionid',
  '__Host-jwt_access',
  '__Host-jwt_refresh',
  'jwt_access',
  'csrftoken',
  'token',
  'Authorization',
]
const FIELDS = [
  'token',
  'access_token',
  'access',
  'refresh',
  'key',
  'secret',
  'authorization',
  'sessionid',
  'username',
]

/** Place -> the rest of a request with that text in it. */
export const PLACES = Object.freeze({
  ...Object.fromEntries(
    SCHEMES.map((scheme) => [scheme, (text) => ({ headers: [['Authorization', `${scheme} ${text}`]] })]),
  ),
  'no scheme': (text) => ({ headers: [['Authorization', text]] }),
  'scheme and comma': (text) => ({ headers: [['Authorization', `Token, ${text}`]] }),
  'scheme with =': (text) => ({ headers: [['Authorization', `Token token=${text}`]] }),
  'Bearer Token': (text) => ({ headers: [['Authorization', `Bearer Token ${text}`]] }),
  ...Object.fromEntries(
    [...HEADERS, ...MORE_HEADERS].flatMap((name) => [
      [name, (text) => ({ headers: [[name, text]] })],
      [`${name} with a scheme`, (text) => ({ headers: [[name, `Token ${text}`]] })],
    ]),
  ),
  ...Object.fromEntries(
    COOKIES.map((name) => [`cookie ${name}`, (text) => ({ headers: [['Cookie', `${name}=${text}`]] })]),
  ),
  ...Object.fromEntries(
    FIELDS.map((name) => [`query ${name}`, (text) => ({ query: `?${name}=${encodeURIComponent(text)}` })]),
  ),
  ...Object.fromEntries(FIELDS.map((name) => [`form ${name}`, (text) => form({ [name]: text })])),
  ...Object.fromEntries(FIELDS.map((name) => [`json ${name}`, (text) => json({ [name]: text })])),
  'form csrfmiddlewaretoken': (text) => form({ csrfmiddlewaretoken: text, token: text }),
})

/** The places that mean something to one of the routes, and one of each sort that means nothing. */
const USUAL_PLACES = ['Token', 'Bearer', 'Basic', 'no scheme', 'X-API-Key', 'Remote-User', 'cookie sessionid']
const MORE_USUAL_PLACES = ['cookie __Host-jwt_access', 'query token', 'form token', 'json token']

/** Kind -> text: every credential of the world, and what a reader of logs or of the database may have of one. */
export function credentialTexts({ opaque, jwts }, algorithm) {
  const other = Object.keys(jwts).find((name) => name !== algorithm)
  return {
    ...opaque,
    ...jwts[algorithm],
    'access of another key': jwts[other].access,
    'digest of authtoken': hash('sha256', opaque.authtoken, 'hex'),
    'digest of personal': hash('sha256', opaque.personal, 'base64'),
    'digest of session': hash('sha256', opaque.session, 'hex'),
    'hint of authtoken': opaque.authtoken.slice(-4),
    'id of the user': '1',
    empty: '',
  }
}

/** @type {import('./index.mjs').Row[]} */
export const CONFUSION_ROWS = [
  {
    name: 'credential confusion matrix',
    expects: 'a credential opens its own routes from its own place, and nothing else',
    *attacks({ world, target }) {
      // Adapters translate, and all places are read behind them: one target is asked for everything.
      const places = target.name === 'serve' ? Object.keys(PLACES) : [...USUAL_PLACES, ...MORE_USUAL_PLACES]
      for (const [kind, text] of Object.entries(credentialTexts(world, target.algorithm))) {
        for (const route of ROUTES) {
          for (const place of places) {
            const { query = '', ...request } = PLACES[place](text)
            const opens = route.opens[kind]?.includes(place) === true
            yield {
              name: `${kind} at ${route.path} as ${place}`,
              request: { ...request, path: `${route.path}${query}` },
              reached: opens ? [kind === 'admin' ? 'root' : 'alice'] : [],
            }
          }
        }
      }
    },
  },
]
