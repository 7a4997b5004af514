/** Attacks without a plan: combinations and damage, from a seed. None of them has a credential that opens its route. */
import { ROUTES } from '../lib/routes.mjs'
import { requestBytes } from '../lib/wire.mjs'
import { credentialTexts, PLACES } from './confusion.mjs'

const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE']
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const JUNK = [
  '\u0000',
  '\r',
  '\n',
  '\r\n',
  '\t',
  ' ',
  '\u000b',
  '\u007f',
  '\u00a0',
  '\xff',
  ':',
  ';',
  ',',
  '=',
  '"',
  '\\',
  '%00',
  '%0d%0a',
  '/',
  '..',
  '{',
  '[',
  '\ud800',
]
const LINES = [
  'X-Forwarded-For: 203.0.113.1',
  'X-Forwarded-For: 127.0.0.1, 127.0.0.1',
  'Forwarded: for=127.0.0.1',
  'X-Real-IP: 127.0.0.1',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: 127.0.0.1',
  'Origin: null',
  'Origin: http://127.0.0.1',
  'Referer: http://127.0.0.1/',
  'Connection: close',
  'Connection: Authorization',
  'Transfer-Encoding: chunked',
  'Content-Length: 0',
  'Content-Length: 5',
  'Expect: 100-continue',
  'Content-Encoding: gzip',
  'Accept: text/html',
  'Accept: */*;q=0',
  'Accept: application/json; indent=999999999',
  'Content-Type: application/json',
  'Content-Type: multipart/form-data; boundary=x',
  'X-HTTP-Method-Override: GET',
  'Upgrade: h2c',
  'Range: bytes=0-',
  'If-None-Match: *',
  'Cookie: csrftoken=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'X-CSRFToken: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  'Sec-Fetch-Site: cross-site',
]

/**
 * One attack. The same random numbers give the same one.
 * @param {import('./index.mjs').Context} context
 * @param {ReturnType<typeof import('../lib/random.mjs').seededRandom>} random
 * @returns {import('../lib/judge.mjs').Attack}
 */
export function randomAttack({ world, target }, random) {
  const route = random.pick(ROUTES)
  const texts = credentialTexts(world, target.algorithm)
  const opening = Object.keys(route.opens)
  const closed = Object.keys(texts).filter((kind) => !opening.includes(kind))
  const damaged = opening.length > 0 && random.chance(0.6)
  const kind = random.pick(damaged ? opening : closed)
  const text = damaged ? damage(texts[kind], kind, random) : texts[kind]
  const places = damaged && random.chance(0.7) ? route.opens[kind] : Object.keys(PLACES)
  const { query = '', ...request } = PLACES[random.pick(places)](text)
  const path = `${random.chance(0.2) ? mutated(route.path, random) : route.path}${query}`
  const method = request.method ?? random.pick(METHODS)
  let bytes = requestBytes({ ...request, method, path }).toString('latin1')
  for (let count = random.below(4); count > 0; count -= 1) bytes = addLine(bytes, random)
  if (random.chance(0.4)) bytes = insertJunk(bytes, random)
  return {
    name: `${damaged ? 'damaged' : 'whole'} ${kind} at ${route.path}`,
    bytes,
    statuses: [200, 204, 501, 503],
  }
}

/** Another text than the credential, and not another spelling of it. */
function damage(text, kind, random) {
  if (kind === 'basic') {
    const [name, password] = Buffer.from(text, 'base64').toString().split(':')
    return Buffer.from(`${name}:${damage(password, '', random)}`).toString('base64')
  }
  const at = random.below(text.length)
  const other = LETTERS[(LETTERS.indexOf(text[at]) + 1 + random.below(LETTERS.length - 1)) % LETTERS.length]
  const ways = [
    () => text.slice(0, at) + other + text.slice(at + 1),
    () => text.slice(0, at) + other + text.slice(at),
    () => text.slice(0, at) + text.slice(at + 1),
    () => text.slice(0, at),
    () => text + text,
    () => [...text].reverse().join(''),
    () => text.slice(0, at) + text.slice(at).split('.').reverse().join('.') + other,
  ]
  const changed = random.pick(ways)()
  return changed === text ? `${text}${other}` : changed
}

function mutated(path, random) {
  const at = random.below(path.length)
  const ways = [
    () =>
      `${path.slice(0, at)}${random.pick(['/', '//', '/./', '/../', '%2f', '%2e', '\\', ';', '.', '%00', '%20'])}${path.slice(at)}`,
    () => path.toUpperCase(),
    () => `${path.slice(0, at)}%${path.charCodeAt(at).toString(16)}${path.slice(at + 1)}`,
    () => `${path}${random.pick(['report/', '?format=json', '.json', '#x', '%', 'a'.repeat(2000)])}`,
  ]
  const changed = random.pick(ways)()
  return changed.startsWith('/') ? changed : `/${changed}`
}

function addLine(bytes, random) {
  const end = bytes.indexOf('\r\n') + 2
  return `${bytes.slice(0, end)}${random.pick(LINES)}\r\n${bytes.slice(end)}`
}

function insertJunk(bytes, random) {
  const at = random.below(bytes.length)
  return `${bytes.slice(0, at)}${random.pick(JUNK)}${bytes.slice(at)}`
}
