/** What is attacked: one database with two users, and one valid credential of every kind that attacks misplace or damage. */
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import { createLatchkey, knox, personalTokens, signingKey } from 'latchkey'

const SERVER_SECRET = 'server secret of the attack suite and of nothing else'
const PASSWORD = 'nine quiet otters swim'

/** Algorithm -> the text of a new signing key. */
const NEW_KEYS = {
  HS256: () => 'HMAC secret of the attack suite, for tests only, long enough',
  RS256: () => pem(generateKeyPairSync('rsa', { modulusLength: 2048 })),
  ES256: () => pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' })),
  EdDSA: () => pem(generateKeyPairSync('ed25519')),
}

export const ALGORITHMS = Object.freeze(Object.keys(NEW_KEYS))

const pem = ({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })

/** The systems of tokens beside DRF's, with the settings that the guides show. */
export const KNOX = knox()
export const PERSONAL = personalTokens()

/**
 * Of the caller `127.0.0.1`, which is a trusted proxy, so that `X-Forwarded-For` decides.
 * @param {{ store: import('latchkey').Store, secret: string, keys: Record<string, string> }} world
 * @param {string} algorithm of its JWTs
 * @param {object} [options] further ones of `createLatchkey`
 */
export function latchkeyOf({ store, secret, keys }, algorithm, options = {}) {
  return createLatchkey({
    store,
    secret,
    ...settingsOf(keys, algorithm),
    trustedProxies: ['127.0.0.1'],
    ...options,
  })
}

/** What a project's config file has in common with the options above. */
export function settingsOf(keys, algorithm) {
  return {
    policies: [KNOX.policy, PERSONAL.policy],
    jwt: {
      signingKey: signingKey({ algorithm, key: keys[algorithm] }),
      accessTtlSeconds: 86_400,
      slidingTtlSeconds: 86_400,
      // For the routes that take the user from the claims.
      claims: ({ username }) => ({ username }),
    },
  }
}

/**
 * @typedef {object} World
 * @property {string} database path of the SQLite file
 * @property {import('latchkey').Store} store
 * @property {string} secret
 * @property {Record<string, string>} keys algorithm -> HMAC secret or private key
 * @property {Record<string, string>} opaque kind of credential -> text that a caller presents
 * @property {Record<string, Record<string, string>>} jwts algorithm -> type -> token of alice
 * @property {readonly string[]} secrets what no answer and no log line may contain
 */

/** @param {string} folder @returns {Promise<World>} */
export async function createWorld(folder) {
  const database = join(folder, 'attack.sqlite3')
  const store = sqlite(database)
  await store.migrate()
  const keys = Object.fromEntries(ALGORITHMS.map((name) => [name, NEW_KEYS[name]()]))
  const shared = { database, store, secret: SERVER_SECRET, keys }
  const latchkey = latchkeyOf(shared, 'HS256')
  const alice = await latchkey.users.create({ username: 'alice', password: PASSWORD })
  const root = await latchkey.users.createSuperuser({ username: 'root', password: `${PASSWORD} too` })
  // Whose failed logins are counted, so that alice can go on.
  await latchkey.users.create({ username: 'carol', password: `${PASSWORD} as well` })
  const issue = async (user, options) => (await latchkey.tokens.issue({ user, ...options })).secret.reveal()
  const personal = { policy: 'personal', ttlSeconds: null }
  const opaque = {
    authtoken: await issue(alice, {}),
    knox: await issue(alice, { policy: 'knox' }),
    personal: await issue(alice, personal),
    local: await issue(alice, { ...personal, allowedAddresses: ['127.0.0.1'] }),
    admin: await issue(root, {}),
    session: (await latchkey.sessions.start(alice)).secret.reveal(),
    basic: Buffer.from(`alice:${PASSWORD}`).toString('base64'),
    username: 'alice',
  }
  const jwts = {}
  for (const algorithm of ALGORITHMS) {
    const issuer = latchkeyOf(shared, algorithm)
    jwts[algorithm] = {
      ...(await issuer.jwts.issuePair(alice)),
      sliding: await issuer.jwts.issueSliding(alice),
    }
  }
  const { username: _, ...confidential } = opaque
  const secrets = [SERVER_SECRET, PASSWORD, ...Object.values(confidential)]
  secrets.push(...Object.values(jwts).flatMap((types) => Object.values(types)))
  secrets.push(keys.HS256, ...Object.values(keys).map((key) => key.split('\n')[1] ?? key))
  return { ...shared, opaque, jwts, secrets }
}
