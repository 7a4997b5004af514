/** Keys of each algorithm, and access tokens that Latchkey issued with them: what the JWT rows present. */
import { generateKeyPairSync } from 'node:crypto'
import { createLatchkey, memoryStore, signingKey } from 'latchkey'
import { SERVER_SECRET, usernameAt } from './tokens-database.mjs'

/** What the HS256 tokens are signed with: 48 bytes. */
export const HMAC_SECRET = 'secret of the benchmarks, known to everybody too'

/** Algorithm -> what makes its key pair: RSA as short as simplejwt's users have it, which is the quickest to verify. */
const KEY_PAIRS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
}

export const JWT_ALGORITHMS = Object.freeze(['HS256', ...Object.keys(KEY_PAIRS)])

/**
 * @typedef {object} JwtKey
 * @property {string} algorithm
 * @property {import('latchkey').SigningKey} signingKey
 * @property {string} verifyWith the secret, or the public key as PEM
 * @property {string} signWith the secret, or the private key as PEM
 */

/** @param {string} algorithm @returns {JwtKey} */
export function newJwtKey(algorithm) {
  if (algorithm === 'HS256') return describe(algorithm, HMAC_SECRET, HMAC_SECRET)
  const { privateKey, publicKey } = KEY_PAIRS[algorithm]()
  return describe(
    algorithm,
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    publicKey.export({ type: 'spki', format: 'pem' }),
  )
}

function describe(algorithm, signWith, verifyWith) {
  return { algorithm, signWith, verifyWith, signingKey: signingKey({ algorithm, key: signWith }) }
}

/** A day, so that none expires while it is measured. */
const ACCESS_TTL_SECONDS = 86_400

/** The JWT settings of every Latchkey here, beside which all is as by default. @param {JwtKey} key */
export function jwtOptions({ signingKey }) {
  return { signingKey, accessTtlSeconds: ACCESS_TTL_SECONDS, claims: ({ username }) => ({ username }) }
}

/**
 * Access tokens of users number 0 to `users - 1`, in turn, for any store whose users have the ids from 1 on: those of a
 * fresh memory store, and of `createTokensDatabase`.
 * @param {JwtKey} key
 * @param {{ tokens: number, users: number, claims?: object }} sizes `claims`: further ones, which make tokens longer
 * @returns {Promise<string[]>}
 */
export async function issueJwts(key, { tokens, users, claims = {} }) {
  const { latchkey, users: known } = await jwtsInMemory(key, { users })
  const issued = []
  for (let index = 0; index < tokens; index += 1) {
    const user = known[index % users]
    const { access } = await latchkey.jwts.issuePair(user, {
      claims: ({ username }) => ({ username, ...claims }),
    })
    // As texts come out of a header: in one piece, not joined from several.
    issued.push(Buffer.from(access, 'latin1').toString('latin1'))
  }
  await latchkey.close()
  return issued
}

/** A Latchkey on a memory store with such users. @param {JwtKey} key @param {{ users: number, cacheEntries?: number }} options */
export async function jwtsInMemory(key, { users, ...options }) {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: SERVER_SECRET,
    jwt: jwtOptions(key),
    ...options,
  })
  const known = []
  for (let index = 0; index < users; index += 1) {
    known.push(await latchkey.users.create({ username: usernameAt(index) }))
    if (known[index].id !== index + 1) throw new Error('the ids of users are not those of the database')
  }
  return { latchkey, users: known }
}
