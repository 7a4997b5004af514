/** What pages of another site can make a browser send, and what a neighbouring host can plant. */

const CSRF = 'a'.repeat(32)
const OTHER = 'b'.repeat(32)
const HOST = '127.0.0.1'
const OWN = `http://${HOST}`
const FORM = ['Content-Type', 'application/x-www-form-urlencoded']

/** Origins that are not that of the server. */
const ORIGINS = [
  'null',
  'https://evil.example',
  'http://evil.example',
  `http://${HOST}.evil.example`,
  `http://evil.example#${HOST}`,
  `http://evil.example/${HOST}`,
  `http://${HOST}@evil.example`,
  `http://x${HOST}`,
  'file://',
  'data:',
  'about:blank',
  '',
  `http://${HOST}:1`,
  'http://localhost',
  'http://[::1]',
  `javascript:${HOST}`,
  `${OWN}, http://evil.example`,
  '*',
]

/** Content types that a form of another site may send without a preflight, and ones that look like JSON. */
const CONTENT_TYPES = [
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'text/plain',
  '',
  'application/json',
]

const BODIES = ['', 'a=b', `csrfmiddlewaretoken=${OTHER}`, '{"csrfmiddlewaretoken":"x"}', '--x--\r\n']

const METHOD_HEADERS = ['X-HTTP-Method-Override', 'X-Method-Override', 'X-HTTP-Method']

/** Where the cookie decides: the session, and the JWT cookie. */
function cookieRoutes({ opaque, jwts }, { algorithm }) {
  return [
    { path: '/session/', cookie: `sessionid=${opaque.session}` },
    { path: '/jwt-cookie/', cookie: `__Host-jwt_access=${jwts[algorithm].access}` },
  ]
}

/** @type {import('./index.mjs').Row[]} */
export const BROWSER_ROWS = [
  {
    name: 'cross-site requests with a cookie',
    expects: 'nothing that changes something is done without the token and the own origin',
    *attacks({ world, target }) {
      for (const { path, cookie } of cookieRoutes(world, target)) {
        const post = (name, headers, body = 'a=b') => ({
          name: `${path}: ${name}`,
          request: { method: 'POST', path, headers: [['Host', HOST], ['Cookie', cookie], ...headers], body },
        })
        for (const type of CONTENT_TYPES) {
          for (const body of BODIES) yield post(`${type}, ${body}, no token`, [['Content-Type', type]], body)
        }
        // The token is right, as a neighbour that planted the cookie knows it: the origin decides.
        const planted = [
          ['Cookie', `csrftoken=${CSRF}; ${cookie}`],
          ['X-CSRFToken', CSRF],
        ]
        for (const origin of ORIGINS) yield post(`Origin ${origin}`, [FORM, ['Origin', origin], ...planted])
        yield post('two origins', [FORM, ['Origin', OWN], ['Origin', 'http://evil.example'], ...planted])
        for (const name of METHOD_HEADERS) yield post(name, [FORM, [name, 'GET']])
        yield post('_method in the body', [FORM], '_method=GET')
        yield post('_method in the query', [FORM], '')
        const tokens = [
          [
            'another token',
            [
              ['Cookie', `csrftoken=${CSRF}`],
              ['X-CSRFToken', OTHER],
            ],
          ],
          ['a token without its cookie', [['X-CSRFToken', CSRF]]],
          ['a cookie without its token', [['Cookie', `csrftoken=${CSRF}`]]],
          [
            'empty both',
            [
              ['Cookie', 'csrftoken='],
              ['X-CSRFToken', ''],
            ],
          ],
          [
            'a short token',
            [
              ['Cookie', 'csrftoken=a'],
              ['X-CSRFToken', 'a'],
            ],
          ],
          [
            'a token of other characters',
            [
              ['Cookie', `csrftoken=${'-'.repeat(32)}`],
              ['X-CSRFToken', '-'.repeat(32)],
            ],
          ],
          [
            'the token in the wrong header',
            [
              ['Cookie', `csrftoken=${CSRF}`],
              ['X-XSRF-TOKEN', CSRF],
            ],
          ],
          ['the token in the query', [['Cookie', `csrftoken=${CSRF}`]]],
          [
            'the session as token',
            [
              ['Cookie', `csrftoken=${CSRF}`],
              ['X-CSRFToken', world.opaque.session],
            ],
          ],
          [
            'two csrftoken headers',
            [
              ['Cookie', `csrftoken=${CSRF}`],
              ['X-CSRFToken', CSRF],
              ['X-CSRFToken', CSRF],
            ],
          ],
        ]
        for (const [name, headers] of tokens) yield post(name, [FORM, ...headers])
      }
    },
  },
  {
    name: 'names and shapes of cookies',
    expects: 'a cookie of another name is no session',
    *attacks({ world, target }) {
      const { session } = world.opaque
      const jwt = world.jwts[target.algorithm].access
      const ask = (path, cookie) => ({
        name: `${path}: ${cookie.slice(0, 40)}`,
        request: { path, headers: [['Cookie', cookie]] },
      })
      for (const name of [
        'SESSIONID',
        '__Host-sessionid',
        '__Secure-sessionid',
        '\u00a0sessionid',
        '\xe2\x80\x83sessionid',
        '"sessionid"',
        '$sessionid',
        'sessionid[]',
        'sessionid\u0000',
        'session',
        '',
      ]) {
        if (!name.includes('\u0000')) yield ask('/session/', `${name}=${session}`)
      }
      for (const name of [
        'jwt_access',
        '__Secure-jwt_access',
        '__host-jwt_access',
        '__Host-JWT_ACCESS',
        '\xe2\x80\x83__Host-jwt_access',
        '\u00a0__Host-jwt_access',
        '__Host-jwt_refresh',
        '"__Host-jwt_access"',
      ]) {
        yield ask('/jwt-cookie/', `${name}=${jwt}`)
      }
      yield ask('/session/', `sessionid=${session}; sessionid=`)
      yield ask('/session/', `sessionid=${session}; sessionid=x`)
      yield ask('/session/', `sessionid=${session}x`)
      yield ask('/session/', `sessionid=x${session}`)
      yield ask('/session/', `sessionid=${session.toUpperCase()}`)
      yield ask('/session/', `sessionid:${session}`)
      yield ask('/session/', `sessionid==${session}`)
      yield ask('/session/', `$Version=1; $sessionid=${session}`)
      yield ask('/session/', `a="; sessionid=x; b="; sessionid=${session},x`)
      yield ask('/session/', 'a=b; '.repeat(2000))
      yield ask('/session/', `sessionid="${'\\'.repeat(4000)}"`)
      yield ask('/session/', `sessionid="\\141${session.slice(1)}`)
    },
  },
  {
    name: 'ambient credentials from another site',
    expects: 'Basic credentials that a browser resends change nothing for a page of another site',
    *attacks({ world }) {
      const basic = ['Authorization', `Basic ${world.opaque.basic}`]
      for (const origin of ['https://evil.example', 'null', `http://${HOST}.evil.example`]) {
        for (const type of CONTENT_TYPES.filter((one) => one !== 'application/json')) {
          const headers = [['Host', HOST], basic, ['Content-Type', type], ['Origin', origin]]
          yield {
            name: `${origin}, ${type}`,
            request: { method: 'POST', path: '/basic/', headers, body: 'a=b' },
          }
        }
      }
    },
  },
  {
    name: 'hostile bodies at the logins',
    expects: 'a refusal, without the password in it',
    *attacks({ world }) {
      const password = Buffer.from(world.opaque.basic, 'base64').toString().split(':')[1]
      const bodies = [
        `{"username":${JSON.stringify(password)},"password":"x"}`,
        `{"password":${JSON.stringify(password)}}`,
        `[${JSON.stringify(password)}]`,
        '{',
        '',
        'null',
        '[]',
        '0',
        '"x"',
        '{"username":1,"password":2}',
        '{"username":"carol","password":["x"]}',
        '{"username":{"$gt":""},"password":{"$gt":""}}',
        '{"username":null,"password":null}',
        '{"__proto__":{"username":"carol"},"password":"x"}',
        '{"username":"a\\u0000","password":"x"}',
        '{"username":"carol","password":"\\u0000"}',
        '{"username":"\\ud800","password":"\\udfff"}',
        `{"username":"${'a'.repeat(100_000)}","password":"x"}`,
        `{"username":"carol","password":"${'a'.repeat(100_000)}"}`,
        `${'['.repeat(50_000)}`,
        `{"a":${'{"a":'.repeat(5000)}`,
        '\ufeff{"username":"carol","password":"x"}',
        '{"username":"carol","username":"root","password":"x"}',
        `{${Array.from({ length: 5000 }, (_, index) => `"k${index}":1`).join()}}`,
        '\xff\xfe{\u0000',
        'NaN',
        'Infinity',
        '1e999',
      ]
      const types = [
        'application/json',
        'application/json; charset=utf-16',
        'application/x-www-form-urlencoded',
        'text/plain',
        'multipart/form-data',
        'multipart/form-data; boundary=',
        'application/xml',
        'a',
        '*/*',
        'application/json, text/plain',
      ]
      const statuses = [503]
      for (const path of [
        '/api-token-auth/',
        '/api/token/',
        '/api/token/refresh/',
        '/api/token/verify/',
        '/api/auth/login/',
      ]) {
        for (const type of types) {
          for (const body of bodies) {
            const headers = [['Content-Type', type]]
            yield {
              name: `${path}, ${type}, ${body.slice(0, 30)}`,
              request: { method: 'POST', path, headers, body },
              statuses,
            }
          }
        }
      }
    },
  },
]
