/**
 * Sends very many distinct credentials through one Latchkey in this process, kind by kind, and measures what stays in
 * the heap: `node --expose-gc attack/memory-child.mjs FOLDER`. Requests are counted, not timed.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import {
  basicAuthentication,
  createLatchkey,
  isAuthenticated,
  jwtAuthentication,
  memoryStore,
  pbkdf2Sha256,
  personalTokens,
  sessionAuthentication,
  signingKey,
  throttleByAddress,
  tokenAuthentication,
} from 'latchkey'

const SECRET = 'the secret of the memory attack, for tests only'
const CACHE_ENTRIES = 1000
/** Of a kind; fewer where each makes the store write. */
const COUNT = 100_000
const FEWER = 20_000
/** 32 bytes each would be a list of digests already. */
const MOST_BYTES_EACH = 32
/** What the heap differs by from one measurement to the next. */
const NOISE_BYTES = 2 ** 19
/** How often growth beyond the bound is measured again. */
const TIMES = 3
/** So that what is kept for a minute can end. */
const REQUESTS_PER_SECOND = 500

const [, , folder = '.'] = process.argv
let requests = 0
const startMs = Date.UTC(2026, 0, 1)
const clock = { nowMs: () => startMs + Math.floor((requests / REQUESTS_PER_SECOND) * 1000) }
const personal = personalTokens()
const cheap = pbkdf2Sha256({ iterations: 1 })

function newLatchkey(name, options) {
  return createLatchkey({
    // Nothing here has to survive a loss of power.
    store: sqlite(join(folder, `${name}.sqlite3`), { synchronous: 'normal' }),
    secret: SECRET,
    clock,
    cacheEntries: CACHE_ENTRIES,
    policies: [personal.policy],
    passwords: { preferred: cheap },
    trustedProxies: ['127.0.0.1'],
    jwt: { signingKey: signingKey({ algorithm: 'HS256', key: SECRET }), accessTtlSeconds: 1_000_000 },
    ...options,
  })
}

const request = (headers) => ({
  method: 'GET',
  rawPath: '/',
  query: '',
  secure: false,
  remoteAddress: '127.0.0.1',
  header: (name) => headers[name],
  body: async () => new Uint8Array(),
})

const hex = (bytes) => randomBytes(bytes).toString('hex')
const bearer = (text) => ({ authorization: `Bearer ${text}` })

/** Well-formed and unknown: another Latchkey issued them. */
async function* foreignTokens() {
  for (;;) {
    const store = memoryStore()
    const other = createLatchkey({ store, secret: SECRET, policies: [personal.policy] })
    const user = await other.users.create({ username: 'other' })
    for (let index = 0; index < 2000; index += 1) {
      yield (await other.tokens.issue({ user, policy: 'personal' })).secret.reveal()
    }
  }
}
const foreign = foreignTokens()

/** As the issuer signs it, without the row of its refresh token. */
function accessToken() {
  const claims = { token_type: 'access', exp: 4102444800, iat: startMs / 1000, jti: hex(16), user_id: '1' }
  const [header, payload] = [{ alg: 'HS256', typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  )
  const text = `${header}.${payload}`
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`
}

/** Kind -> what guards, and the headers of one more request. */
const KINDS = {
  'unknown tokens': {
    authentication: [tokenAuthentication()],
    next: () => ({ authorization: `Token ${hex(20)}` }),
  },
  'malformed personal tokens': {
    authentication: [personal.authentication],
    next: () => bearer(`lk_pat_${hex(32)}`),
  },
  'well-formed unknown personal tokens': {
    authentication: [personal.authentication],
    next: async () => bearer((await foreign.next()).value),
  },
  'JWTs with wrong signatures and distinct headers': {
    authentication: [jwtAuthentication()],
    next: () => {
      const header = Buffer.from(JSON.stringify({ alg: 'HS256', kid: hex(8) })).toString('base64url')
      return bearer(`${header}.${Buffer.from(`{"jti":"${hex(8)}"}`).toString('base64url')}.${hex(32)}`)
    },
  },
  'valid access tokens with distinct jtis': {
    authentication: [jwtAuthentication()],
    accepted: true,
    next: () => bearer(accessToken()),
  },
  'session cookies': {
    authentication: [sessionAuthentication()],
    next: () => ({ cookie: `sessionid=${hex(16)}; csrftoken=${hex(16)}; ${hex(4)}=1` }),
  },
  usernames: {
    authentication: [basicAuthentication()],
    options: { loginRate: '10/min' },
    count: FEWER,
    next: () => ({ authorization: `Basic ${Buffer.from(`${hex(8)}:x`).toString('base64')}` }),
  },
  addresses: {
    authentication: [tokenAuthentication()],
    options: { throttles: [throttleByAddress('10/min')] },
    // The library keeps the newest 50,000 addresses.
    warmUp: COUNT,
    next: () => ({ 'x-forwarded-for': [...randomBytes(4)].join('.') }),
  },
  'addresses of failed logins': {
    authentication: [basicAuthentication()],
    options: { loginRate: '10/min' },
    count: FEWER,
    next: () => ({
      authorization: `Basic ${Buffer.from('alice:x').toString('base64')}`,
      'x-forwarded-for': `2001:db8:${hex(2)}:${hex(2)}:${hex(2)}::1`,
    }),
  },
}

function heapBytes() {
  for (let round = 0; round < 4; round += 1) globalThis.gc()
  return process.memoryUsage().heapUsed
}

async function measure(
  name,
  { authentication, options = {}, next, accepted = false, count = COUNT, warmUp = count / 10 },
) {
  const file = name.replaceAll(/\W/g, '-')
  const latchkey = newLatchkey(file, { authentication, permissions: [isAuthenticated], ...options })
  const gate = latchkey.gate()
  await latchkey.users.create({ username: 'alice', password: 'nine quiet otters' })
  let wrong = 0
  const send = async (count) => {
    for (let index = 0; index < count; index += 1) {
      requests += 1
      const { identity } = await gate(request(await next()))
      if ((identity !== null) !== accepted) wrong += 1
      // Timers of the library run between requests, as in a server.
      if (index % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    // What waits to be written is bounded too, and is not what is measured.
    await latchkey.throttles.flush()
  }
  await send(warmUp)
  const mostBytes = count * MOST_BYTES_EACH + NOISE_BYTES
  // What is kept of each credential grows every time. A bounded structure can be fuller at one moment than at another.
  let grownBytes = Number.POSITIVE_INFINITY
  for (let time = 0; time < TIMES && grownBytes > mostBytes; time += 1) {
    const before = heapBytes()
    await send(count)
    grownBytes = heapBytes() - before
  }
  await latchkey.close()
  return { name, count, grownBytes, mostBytes, wrong, ok: grownBytes <= mostBytes && wrong === 0 }
}

let ok = true
for (const [name, kind] of Object.entries(KINDS)) {
  const result = await measure(name, kind)
  ok = result.ok && ok
  const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(2)} MiB`
  const words = `${mebibytes(result.grownBytes)} more, ${mebibytes(result.mostBytes)} allowed`
  console.log(
    `${result.ok ? 'ok  ' : 'FAIL'}  memory: ${result.count} ${name}: ${words}; ${result.wrong} wrong answers`,
  )
}
process.exit(ok ? 0 : 1)
