/** Requests whose framing two servers could read differently: what is hidden in one never reaches a handler. */

const GOOD = ({ opaque }) =>
  `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token ${opaque.authtoken}\r\n\r\n`
const POST = 'POST /authtoken/ HTTP/1.1\r\nHost: h\r\n'

/** Header lines that frame a body in two ways or in none; the request that is hidden follows. */
const FRAMINGS = [
  [
    'CL and TE',
    (inner) => `Content-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
  ],
  ['TE and CL', (inner) => `Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n${inner}`],
  ['two CL', (inner) => `Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  [
    'two CL, the other way',
    (inner) => `Content-Length: ${inner.length}\r\nContent-Length: 0\r\n\r\n${inner}`,
  ],
  [
    'two equal CL',
    (inner) => `Content-Length: ${inner.length}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  ],
  ['CL as a list', (inner) => `Content-Length: 0, ${inner.length}\r\n\r\n${inner}`],
  ...['+0', '-1', '0x0', '0 0', '1e0', ' ', '0;', '00 ', '٠', '0\u000b', '9'.repeat(30)].map((value) => [
    `CL ${JSON.stringify(value)}`,
    (inner) => `Content-Length: ${value}\r\n\r\n${inner}`,
    // Digits with blanks around them are a number: nothing is hidden then.
    { mayReach: /^0+ *$/.test(value) },
  ]),
  ['CL with a blank before the colon', (inner) => `Content-Length : 0\r\n\r\n${inner}`],
  ['CL on a folded line', (inner) => `Content-Length:\r\n ${inner.length}\r\n\r\n${inner}`],
  ...[
    'xchunked',
    'chunked, identity',
    'identity, chunked',
    'chunked, chunked',
    'chunked;q=1',
    '"chunked"',
    'chunked,',
    'x chunked',
    'chunkedx',
    '\u000bchunked',
    'chunked\u0000',
    'identity',
    'gzip, chunked',
    'cow',
  ].map((value) => [
    `TE ${JSON.stringify(value)}`,
    (inner) => `Transfer-Encoding: ${value}\r\n\r\n0\r\n\r\n${inner}`,
    teOptions(value),
  ]),
  [
    'TE twice',
    (inner) => `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${inner}`,
  ],
  ['TE with a blank before the colon', (inner) => `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${inner}`],
  [
    'TE on a folded line',
    (inner) => `Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
  ],
  [
    'TE behind a bare LF',
    (inner) => `X: y\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${inner}`,
  ],
  [
    'TE behind a bare CR',
    (inner) => `X: y\rTransfer-Encoding: chunked\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  ],
  ['TE behind a NUL', (inner) => `X: y\u0000Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n${inner}`],
  ['TE with _', (inner) => `Transfer_Encoding: chunked\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`],
  ['all in CL', (inner) => `Content-Length: ${inner.length}\r\n\r\n${inner}`],
]

/**
 * A coding that is not understood is 501 (RFC 9112, 6.1). Where the last coding is chunked, once, the body has ended, and
 * what follows is a request of its own.
 */
function teOptions(value) {
  return { statuses: [501], mayReach: /(^|, *)chunked$/.test(value) && value !== 'chunked, chunked' }
}

/** Chunked bodies that end in two places. */
const CHUNKS = [
  ['an extension', (inner) => `5;a=b\r\nhello\r\n0\r\n\r\n${inner}`, { mayReach: true }],
  ['a quoted extension with a line end', (inner) => `5;a="\r\n"\r\nhello\r\n0\r\n\r\n${inner}`],
  ['an extension with a bare LF', (inner) => `0;a\n\r\n${inner}`],
  ['a bare LF behind the size', (inner) => `0\n\n${inner}`],
  ['a bare CR behind the size', (inner) => `0\r\r${inner}`],
  ['a size that overflows', (inner) => `10000000000000000\r\n\r\n0\r\n\r\n${inner}`],
  ['a negative size', (inner) => `-1\r\n\r\n0\r\n\r\n${inner}`],
  ['0x in the size', (inner) => `0x0\r\n\r\n${inner}`],
  ['a blank before the size', (inner) => ` 0\r\n\r\n${inner}`],
  ['+ before the size', (inner) => `+0\r\n\r\n${inner}`],
  ['_ in the size', (inner) => `0_0\r\n\r\n${inner}`],
  ['no size', (inner) => `\r\n\r\n${inner}`],
  ['more than its size', (inner) => `1\r\nhello\r\n0\r\n\r\n${inner}`],
  ['an extension of 20 kB', (inner) => `5;${'a'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n${inner}`],
  ['a trailer with the credential', (_inner, token) => `0\r\nAuthorization: Token ${token}\r\n\r\n`],
]

/** Whole requests. Each has the credential in a place where it is none, or a form that only some servers take. */
const SHAPES = [
  [
    'a blank before the colon',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization : Token ${token}\r\n\r\n`,
  ],
  [
    'a tab before the colon',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization\t: Token ${token}\r\n\r\n`,
  ],
  [
    'a NUL in the name',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization\u0000: Token ${token}\r\n\r\n`,
  ],
  [
    'a NUL in the value',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token ${token}\u0000\r\n\r\n`,
  ],
  [
    'a CR in the value',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token\r ${token}\r\n\r\n`,
  ],
  [
    'hidden behind a CR',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nX: y\rAuthorization: Token ${token}\r\n\r\n`,
  ],
  [
    'hidden behind an LF',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nX: y\nAuthorization: Token ${token}\r\n\r\n`,
    { mayReach: true },
  ],
  [
    'hidden behind UTF-8 line ends',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nX: y\u0085Authorization: Token ${token}\r\n\r\n`,
  ],
  [
    'folded into another header',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nX: y\r\n Authorization: Token ${token}\r\n\r\n`,
  ],
  [
    'with _ for -',
    (token) => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nHTTP_AUTHORIZATION: Token ${token}\r\n\r\n`,
  ],
  [
    'two Authorization headers, the first is good',
    (token) =>
      `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token ${token}\r\nAuthorization: Token x\r\n\r\n`,
  ],
  [
    'two Authorization headers, the last is good',
    (token) =>
      `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token x\r\nAuthorization: Token ${token}\r\n\r\n`,
  ],
  [
    'two good Authorization headers',
    (token) =>
      `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token ${token}\r\nauthorization: Token ${token}\r\n\r\n`,
  ],
  [
    // Where lines are dropped the wrong one is left, and where none is dropped there are two.
    'a wrong credential, 1,100 lines, a good credential',
    (token) =>
      `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token x\r\n${'a:\r\n'.repeat(1100)}Authorization: Token ${token}\r\n\r\n`,
  ],
  ['a header of 20 kB', () => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`],
  [
    'a credential of 15 kB',
    () => `GET /authtoken/ HTTP/1.1\r\nHost: h\r\nAuthorization: Token ${'a'.repeat(15_000)}\r\n\r\n`,
  ],
  ['a target of 15 kB', () => `GET /authtoken/?${'a'.repeat(15_000)} HTTP/1.1\r\nHost: h\r\n\r\n`],
  ['HTTP/0.9', () => 'GET /authtoken/\r\n'],
  ['HTTP/1.2', (token) => `GET /authtoken/ HTTP/1.2\r\nHost: h\r\nAuthorization: Token ${token}\r\n\r\n`],
  ['HTTP/2 by knowledge', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  [
    'http in lower case',
    (token) => `GET /authtoken/ http/1.1\r\nHost: h\r\nAuthorization: Token ${token}\r\n\r\n`,
  ],
  ['no Host', () => 'GET /authtoken/ HTTP/1.1\r\n\r\n'],
  ['two hosts', () => 'GET /authtoken/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['absolute form', () => 'GET http://127.0.0.1/authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n'],
  [
    'absolute form with a login',
    (token) => `GET http://alice:${token}@127.0.0.1/authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n`,
    { sentInTarget: true },
  ],
  ['absolute form of another scheme', () => 'GET file:///authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['authority form', () => 'GET 127.0.0.1:80 HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['CONNECT', () => 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['asterisk form', () => 'OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n', { statuses: [200, 204] }],
  ['TRACE', () => 'TRACE /authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a method that does not exist', () => 'GETT /authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a blank in the target', () => 'GET /authtoken/ x HTTP/1.1\r\nHost: h\r\n\r\n'],
  ['a NUL in the target', () => 'GET /authtoken/\u0000 HTTP/1.1\r\nHost: h\r\n\r\n'],
  [
    'Upgrade to h2c',
    () =>
      'GET /authtoken/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n',
  ],
  [
    'Upgrade to websocket',
    () =>
      'GET /authtoken/ HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  ],
  [
    'Connection names the credential',
    (token) =>
      `GET /knox/ HTTP/1.1\r\nHost: h\r\nConnection: close, Authorization\r\nAuthorization: Token ${token}\r\n\r\n`,
  ],
]

/** @type {import('./index.mjs').Row[]} */
export const SMUGGLING_ROWS = [
  {
    name: 'framing of the body',
    expects: 'a request that is hidden in a body, or behind an ambiguous one, reaches no handler',
    *attacks({ world }) {
      const inner = GOOD(world)
      for (const [name, frame, options = {}] of FRAMINGS)
        yield { name, bytes: `${POST}${frame(inner)}`, ...options }
      for (const [name, body, options = {}] of CHUNKS) {
        const bytes = `${POST}Transfer-Encoding: chunked\r\n\r\n${body(inner, world.opaque.authtoken)}`
        yield { name: `chunked, ${name}`, bytes, ...options }
      }
    },
  },
  {
    name: 'shapes of a request',
    expects: 'a credential counts in its own header only, in one reading of the request',
    *attacks({ world }) {
      for (const [name, shape, options = {}] of SHAPES)
        yield { name, bytes: shape(world.opaque.authtoken), ...options }
    },
  },
  {
    name: 'pipelining after refusals',
    expects: 'each request of a connection is answered for itself',
    *attacks({ world }) {
      const good = GOOD(world)
      const bad = good.replace('Token ', 'Token x')
      const none = 'GET /authtoken/ HTTP/1.1\r\nHost: h\r\n\r\n'
      yield { name: 'bad, none, bad', bytes: bad + none + bad }
      yield { name: 'bad, good, none', bytes: bad + good + none, reached: ['alice'] }
      yield { name: 'good, none, bad', bytes: good + none + bad, reached: ['alice'] }
      yield {
        name: 'good, other route',
        bytes: good + good.replace('/authtoken/', '/knox/'),
        reached: ['alice'],
      }
      yield { name: 'good, admin', bytes: good + good.replace('/authtoken/', '/admin/'), reached: ['alice'] }
      const body = (text, length = text.length) => `${POST}Content-Length: ${length}\r\n\r\n${text}`
      yield { name: 'refused with a body, good', bytes: body('x'.repeat(1000)) + good, reached: ['alice'] }
      const login = body(good, 2 ** 21).replace('/authtoken/', '/api-token-auth/')
      yield { name: 'a body that is too large hides a request', bytes: login }
      yield {
        name: 'expects 100, sends none',
        bytes: `${POST}Expect: 100-continue\r\nContent-Length: ${good.length}\r\n\r\n${good}`,
      }
      yield {
        name: 'expects another thing',
        bytes: `${POST}Expect: 200-ok\r\nContent-Length: ${good.length}\r\n\r\n${good}`,
      }
    },
  },
  {
    name: 'header lines beyond what Node keeps',
    expects: 'a token that is bound to an address is not opened by an address that was dropped',
    *attacks({ world }) {
      const head = `GET /personal/ HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${world.opaque.local}\r\n`
      const forwarded = 'X-Forwarded-For: 203.0.113.9\r\n'
      yield { name: 'without lines', bytes: `${head}${forwarded}\r\n` }
      for (const lines of [990, 996, 997, 998, 999, 1000, 1001, 1500, 1990, 2000, 2100]) {
        yield {
          name: `${lines} lines before X-Forwarded-For`,
          bytes: `${head}${'a:\r\n'.repeat(lines)}${forwarded}\r\n`,
        }
      }
    },
  },
]
