/** Forged and damaged JWTs: none of them opens a route that takes JWTs. */
import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
} from 'node:crypto'

const encode = (value) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const decode = (segment) => JSON.parse(Buffer.from(segment, 'base64url').toString())
const hmac = (key, text, digest = 'sha256') => createHmac(digest, key).update(text).digest('base64url')

/** Algorithm -> signature of a text with the real key: for tokens that only their claims make bad. */
const SIGN = {
  HS256: (key, text) => hmac(key, text),
  RS256: (key, text) => signBytes('sha256', Buffer.from(text), key).toString('base64url'),
  ES256: (key, text) =>
    signBytes('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
  EdDSA: (key, text) => signBytes(null, Buffer.from(text), key).toString('base64url'),
}

/** All that a forger has: a token of alice, the public key, and a server of their own. */
function knowledgeOf({ keys, jwts }, algorithm, listenerUrl) {
  const token = jwts[algorithm].access
  const [header, payload, signature] = token.split('.')
  const publicKey = algorithm === 'HS256' ? null : createPublicKey(createPrivateKey(keys[algorithm]))
  const forged = encode({
    ...decode(payload),
    user_id: 2,
    username: 'root',
    is_staff: true,
    is_superuser: true,
  })
  return {
    algorithm,
    token,
    header,
    payload,
    signature,
    publicKey,
    forged,
    key: keys[algorithm],
    listenerUrl,
    jwts,
  }
}

const ALGORITHM_NAMES = ['none', 'None', 'NONE', 'nOnE', '', ' none', 'none\u0000', null, 0, [], ['none'], {}]

function* unsigned({ payload, forged, signature }) {
  for (const alg of ALGORITHM_NAMES) {
    for (const body of [payload, forged]) {
      for (const tail of ['', signature, 'AA', 'e30']) {
        yield [`alg ${JSON.stringify(alg)}`, `${encode({ alg, typ: 'JWT' })}.${body}.${tail}`]
      }
    }
  }
  yield ['no alg', `${encode({ typ: 'JWT' })}.${forged}.${signature}`]
}

/** HMAC with what everybody knows: the public key in every form, nothing, and usual words. */
function* publicKeyAsSecret({ publicKey, forged, payload }) {
  const spki = publicKey?.export({ type: 'spki', format: 'pem' }).toString() ?? ''
  const secrets = ['', '\u0000', 'secret', 'your-256-bit-secret', 'null', 'undefined', '0', 'changeme']
  if (publicKey !== null) {
    const jwk = publicKey.export({ format: 'jwk' })
    secrets.push(spki, spki.trim(), spki.replaceAll('\n', '\r\n'), spki.replace(/-----[^-]+-----|\n/g, ''))
    secrets.push(publicKey.export({ type: 'spki', format: 'der' }), JSON.stringify(jwk))
    secrets.push(...Object.values(jwk), Buffer.from(jwk.n ?? jwk.x ?? '', 'base64url'))
  }
  for (const secret of secrets) {
    for (const [alg, digest] of [
      ['HS256', 'sha256'],
      ['HS384', 'sha384'],
      ['HS512', 'sha512'],
    ]) {
      for (const body of [forged, payload]) {
        const text = `${encode({ alg, typ: 'JWT' })}.${body}`
        yield [`${alg} with a known text`, `${text}.${hmac(secret, text, digest)}`]
      }
    }
  }
}

/** Headers that name a key, or bring one along; signed with the forger's own. */
function* keysOfTheForger({ algorithm, forged, listenerUrl }) {
  const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...own.publicKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'own' }
  const x5c = [own.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')]
  const members = [
    { jku: `${listenerUrl}/jwks.json`, kid: 'own' },
    { x5u: `${listenerUrl}/cert.pem` },
    { jwk },
    { jwk: JSON.stringify(jwk) },
    { x5c },
    { x5t: createHash('sha1').update(x5c[0]).digest('base64url'), x5c },
    { jku: listenerUrl, x5u: listenerUrl, jwk, x5c, kid: 'own' },
    { iss: listenerUrl, kid: listenerUrl },
    { url: listenerUrl, kid: `${listenerUrl}/key` },
  ]
  for (const more of members) {
    const text = `${encode({ alg: 'RS256', typ: 'JWT', ...more })}.${forged}`
    yield [`header with ${Object.keys(more)}`, `${text}.${SIGN.RS256(own.privateKey, text)}`]
    const same = `${encode({ alg: algorithm, typ: 'JWT', ...more })}.${forged}`
    yield [`${algorithm} with ${Object.keys(more)}`, `${same}.${hmac('', same)}`]
  }
  const kids = [
    '../../../dev/null',
    '/dev/null',
    '/proc/self/environ',
    "x' UNION SELECT 'key' --",
    "' OR 1=1 --",
  ]
  kids.push(
    '| id',
    '$(id)',
    '{{7*7}}',
    '__proto__',
    'constructor',
    'toString',
    '',
    '\u0000',
    'a'.repeat(10_000),
  )
  for (const kid of [...kids, null, 0, [], {}, true, ['own']]) {
    for (const [alg, key] of [
      ['HS256', ''],
      ['HS256', 'key'],
      ['HS256', '\u0000'],
    ]) {
      const text = `${encode({ alg, typ: 'JWT', kid })}.${forged}`
      yield [`kid ${JSON.stringify(kid).slice(0, 30)}`, `${text}.${hmac(key, text)}`]
    }
  }
}

/** Tokens and signatures of another algorithm's key, and signatures that need none. */
function* otherSignatures({ algorithm, header, payload, forged, signature, jwts, key }) {
  for (const [other, types] of Object.entries(jwts)) {
    if (other === algorithm) continue
    const [otherHeader, , otherSignature] = types.access.split('.')
    yield [`token of ${other}`, types.access]
    yield [`signature of ${other}`, `${header}.${payload}.${otherSignature}`]
    yield [`header of ${other}`, `${otherHeader}.${payload}.${signature}`]
  }
  for (const alg of [
    'HS256',
    'RS256',
    'ES256',
    'EdDSA',
    'PS256',
    'ES384',
    'ES512',
    'RS1',
    'ES256K',
    'Ed25519',
  ]) {
    const bytes = [0, 1, 32, 63, 64, 65, 96, 132, 256, 257]
    for (const count of bytes) {
      yield [
        `${alg}, ${count} zero bytes`,
        `${encode({ alg, typ: 'JWT' })}.${forged}.${Buffer.alloc(count).toString('base64url')}`,
      ]
    }
  }
  if (algorithm === 'ES256') {
    const text = `${header}.${payload}`
    const der = signBytes('sha256', Buffer.from(text), key)
    yield ['ES256 signature as DER', `${text}.${der.toString('base64url')}`]
    const raw = Buffer.from(signature, 'base64url')
    yield [
      'r and s swapped',
      `${text}.${Buffer.concat([raw.subarray(32), raw.subarray(0, 32)]).toString('base64url')}`,
    ]
    yield ['r = n, s = n', `${text}.${Buffer.alloc(64, 0xff).toString('base64url')}`]
  }
  yield ['another payload', `${header}.${forged}.${signature}`]
  yield ['another header', `${encode({ ...decode(header), extra: 1 })}.${payload}.${signature}`]
}

/** The valid token, spelled in another way. */
function* spellings({ header, payload, signature, token }) {
  for (const pad of ['=', '==', '===', '%3D']) {
    yield ['padded signature', `${token}${pad}`]
    yield ['padded header', `${header}${pad}.${payload}.${signature}`]
    yield ['padded payload', `${header}.${payload}${pad}.${signature}`]
  }
  yield ['two segments', `${header}.${payload}`]
  yield ['two segments and a dot', `${header}.${payload}.`]
  yield ['four segments', `${token}.${signature}`]
  yield ['five segments', `${header}..${payload}.${signature}.${signature}`]
  yield ['a dot in front', `.${token}`]
  yield ['a dot behind', `${token}.`]
  yield ['one segment', header]
  yield ['only dots', '..']
  yield ['JSON serialization', JSON.stringify({ protected: header, payload, signature })]
  yield ['nested', `${header}.${encode(token)}.${signature}`]
  yield ['in quotes', `"${token}"`]
  yield ['as text of a token', encode(token)]
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(signature.at(-1))
  const spare = { 2: 4, 3: 2 }[signature.length % 4] ?? 0
  for (let bits = 1; bits < 2 ** spare; bits += 1) {
    yield ['unused bits of the signature', `${token.slice(0, -1)}${alphabet[(last & -(2 ** spare)) + bits]}`]
  }
  yield [
    'standard base64',
    token.replaceAll('-', '+').replaceAll('_', '/') === token
      ? `${token}+`
      : token.replaceAll('-', '+').replaceAll('_', '/'),
  ]
  for (const junk of ['!', '*', '~', '\u00e9', ',', ';', ':', '/']) {
    yield [
      'a foreign character in the signature',
      `${header}.${payload}.${signature.slice(0, 5)}${junk}${signature.slice(5)}`,
    ]
    yield [
      'a foreign character in the payload',
      `${header}.${payload.slice(0, 5)}${junk}${payload.slice(5)}.${signature}`,
    ]
  }
  yield ['the signature cut', token.slice(0, -4)]
  yield ['the signature doubled', `${token}${signature}`]
  yield ['other case', token.toUpperCase()]
}

/** Signed with the real key, as no issuer of ours does: header members that change the meaning, duplicates, times, types. */
function* signedButWrong({ algorithm, key, header, payload }) {
  const claims = decode(payload)
  const signed = (head, body) => {
    const text = `${encode(head)}.${encode(body)}`
    return `${text}.${SIGN[algorithm](key, text)}`
  }
  const head = decode(header)
  for (const more of [
    { crit: ['exp'] },
    { crit: [] },
    { crit: 'b64' },
    { b64: false },
    { b64: false, crit: ['b64'] },
  ]) {
    yield [`header with ${JSON.stringify(more)}`, signed({ ...head, ...more }, claims)]
  }
  const headText = JSON.stringify(head)
  for (const double of [
    '"alg":"none"',
    '"\\u0061lg":"none"',
    `"alg":"${algorithm}"`,
    '"kid":"a","kid":"b"',
  ]) {
    yield [`duplicate in the header: ${double}`, signed(`{${double},${headText.slice(1)}`, claims)]
    yield [`duplicate in the header: ${double}`, signed(`${headText.slice(0, -1)},${double}}`, claims)]
  }
  const claimsText = JSON.stringify(claims)
  for (const double of [
    '"user_id":2',
    '"exp":1',
    '"token_type":"access"',
    '"jti":"x"',
    '"user\\u005fid":2',
  ]) {
    yield [`duplicate claim: ${double}`, signed(head, `{${double},${claimsText.slice(1)}`)]
    yield [`duplicate claim: ${double}`, signed(head, `${claimsText.slice(0, -1)},${double}}`)]
  }
  for (const exp of [0, 1, -1, 1e9, -1e300, null, [], {}, true, false, '', 'x', 'Infinity', 'NaN', [9e9]]) {
    yield [`exp ${JSON.stringify(exp)}`, signed(head, { ...claims, exp })]
  }
  for (const text of ['1e400', '-1e400', '9007199254740993e999']) {
    yield [`exp ${text}`, signed(head, claimsText.replace(/"exp":\d+/, `"exp":${text}`))]
  }
  yield ['no exp', signed(head, { ...claims, exp: undefined })]
  for (const nbf of [9e9, 4102444800, 1e15]) yield [`nbf ${nbf}`, signed(head, { ...claims, nbf })]
  for (const type of [
    'refresh',
    'sliding',
    'Access',
    'access ',
    '',
    null,
    1,
    ['access'],
    { access: 1 },
    true,
  ]) {
    yield [`token_type ${JSON.stringify(type)}`, signed(head, { ...claims, token_type: type })]
  }
  yield ['no token_type', signed(head, { ...claims, token_type: undefined })]
  for (const id of [
    null,
    {},
    [],
    [1],
    { $gt: '' },
    '1 OR 1=1',
    true,
    -1,
    99,
    '',
    '1e0',
    1e300,
    'alice',
    "1'--",
  ]) {
    yield [
      `user_id ${JSON.stringify(id)}`,
      signed(head, { ...claims, user_id: id }),
      { statelessMayReach: true },
    ]
  }
  yield ['no user_id', signed(head, { ...claims, user_id: undefined })]
  yield ['no jti', signed(head, { ...claims, jti: undefined })]
  for (const body of [
    '[]',
    '"text"',
    '1',
    'null',
    'true',
    '',
    '{',
    '{"a":1}x',
    `${'['.repeat(5000)}`,
    '\u0000',
  ]) {
    yield [`payload ${body.slice(0, 10)}`, signed(head, body)]
  }
  yield ['deep claims', signed(head, claimsText.replace('{', `{"a":${'['.repeat(40)}${']'.repeat(40)},`))]
}

/** Claims and header members to which an answer either way is right; only a crash or a secret would be wrong. */
function* signedAndOdd({ algorithm, key, header, payload }) {
  const claims = decode(payload)
  const signed = (head, body) => {
    const text = `${encode(head)}.${encode(body)}`
    return `${text}.${SIGN[algorithm](key, text)}`
  }
  const head = decode(header)
  for (const typ of [undefined, null, 1, [], 'JOSE', 'at+jwt', 'jwt', ''])
    yield [`typ ${typ}`, signed({ ...head, typ }, claims)]
  for (const iat of [-1, 9e9, 1.5, 'x', null, [], {}]) yield [`iat ${iat}`, signed(head, { ...claims, iat })]
  for (const nbf of [-1, 'x', null, [], {}]) yield [`nbf ${nbf}`, signed(head, { ...claims, nbf })]
  for (const jti of ['', 1, null, [], {}, 'x'.repeat(4000)])
    yield [`jti ${jti}`.slice(0, 20), signed(head, { ...claims, jti })]
  // As Django's integer field does, which cuts the fraction off.
  yield ['user_id 1.5', signed(head, { ...claims, user_id: 1.5 })]
  for (const more of [
    { cty: 'JWT' },
    { zip: 'DEF' },
    { __proto__: null, constructor: 1 },
    { kid: 'unknown' },
  ]) {
    yield [`header with ${Object.keys(more)}`, signed({ ...head, ...more }, claims)]
  }
  yield [
    'claims named as members of every object',
    signed(head, { ...claims, constructor: 1, toString: 2, hasOwnProperty: 3 }),
  ]
}

/** Where a JWT is presented: the routes that take access tokens, and the endpoint that verifies any. */
const PLACES = {
  '/jwt/': (token) => ({ path: '/jwt/', headers: [['Authorization', `Bearer ${token}`]] }),
  '/stateless/': (token) => ({ path: '/stateless/', headers: [['Authorization', `Bearer ${token}`]] }),
  '/kinds/': (token) => ({ path: '/kinds/', headers: [['Authorization', `Bearer ${token}`]] }),
  '/jwt-cookie/': (token) => ({ path: '/jwt-cookie/', headers: [['Cookie', `__Host-jwt_access=${token}`]] }),
}

const FORGERIES = {
  'unsigned JWTs': unsigned,
  'HMAC with the public key or a known text': publicKeyAsSecret,
  'headers that name or bring a key': keysOfTheForger,
  'signatures of other keys, and of none': otherSignatures,
  'other spellings of a valid JWT': spellings,
  'signed JWTs with wrong members': signedButWrong,
}

/** @type {import('./index.mjs').Row[]} */
export const JWT_ROWS = [
  ...Object.entries(FORGERIES).map(([name, forge]) => ({
    name,
    expects: 'no route that takes JWTs is opened',
    *attacks({ world, target, listenerUrl }) {
      for (const [what, token, more = {}] of forge(knowledgeOf(world, target.algorithm, listenerUrl))) {
        for (const [place, present] of Object.entries(PLACES)) {
          const mayReach = more.statelessMayReach === true && place === '/stateless/'
          // A cookie's value is unquoted, as Django does: in quotes it is the valid token.
          if (place === '/jwt-cookie/' && /["]/.test(token)) continue
          yield { name: `${what} at ${place}`, request: present(headerText(token)), mayReach }
        }
      }
    },
  })),
  {
    name: 'signed JWTs with odd members',
    expects: 'any answer but a crash',
    *attacks({ world, target, listenerUrl }) {
      for (const [what, token] of signedAndOdd(knowledgeOf(world, target.algorithm, listenerUrl))) {
        for (const present of Object.values(PLACES)) {
          yield { name: what, request: present(headerText(token)), mayReach: true }
        }
      }
    },
  },
  {
    name: 'forged JWTs at the endpoints',
    expects: 'neither verified nor refreshed',
    *attacks({ world, target, listenerUrl }) {
      const known = knowledgeOf(world, target.algorithm, listenerUrl)
      const forgeries = [
        ...unsigned(known),
        ...publicKeyAsSecret(known),
        ...otherSignatures(known),
        ...spellings(known),
      ]
      for (const [what, token] of forgeries) {
        for (const [path, field] of [
          ['/api/token/verify/', 'token'],
          ['/api/token/refresh/', 'refresh'],
        ]) {
          const headers = [['Content-Type', 'application/json']]
          yield {
            name: `${what} at ${path}`,
            request: { method: 'POST', path, headers, body: JSON.stringify({ [field]: token }) },
          }
        }
      }
    },
  },
]

/** What may stand in a header's value: no control characters. */
function headerText(token) {
  return Buffer.from(token.replace(/[\u0000-\u001f\u007f]/g, '~')).toString('latin1')
}
