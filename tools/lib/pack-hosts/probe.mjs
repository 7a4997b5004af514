/**
 * What must hold wherever the packed packages run: in another realm, in a bundle, beside a second copy. Each host of
 * `pack-hosts.mjs` calls it with what it imported.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const SECRET = 'a secret of this test only, long enough to seal'
const PASSWORD = 'correct horse battery staple'

/**
 * @param latchkey what `latchkey` exports
 * @param testing what `latchkey/testing` exports
 * @param sql what `@latchkey/sql` exports; it may use another copy of `latchkey`
 * @param other what a second copy of `latchkey` exports, where there is one
 * @returns one line per promise that does not hold
 */
export async function probe({ latchkey, testing, sql, other = latchkey }) {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-probe-'))
  const faults = []
  const check = async (promise, seen, wanted) => {
    let value
    try {
      value = await seen()
    } catch (error) {
      value = String(error?.stack ?? error)
    }
    if (value !== wanted) faults.push(`${promise}: ${value}, not ${wanted}`)
  }
  const open = (name) => sql.sqlite(join(folder, name))
  const create = (store) =>
    latchkey.createLatchkey({ store, secret: SECRET, loginRate: null, onError: () => undefined })
  const post = (handler, body) =>
    handler(
      testing.fakeRequest({
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }),
    )
  try {
    const app = create(open('a.sqlite3'))
    const user = await app.users.create({ username: 'vitor', password: PASSWORD })
    const { secret } = await app.tokens.issue({ user })
    const request = (token) => testing.fakeRequest({ headers: { authorization: `Token ${token}` } })
    const gate = app.gate([other.isAuthenticated])
    const statusOf = async (token) => (await gate(request(token))).refusal?.status ?? 200
    await check('a good token is let in', () => statusOf(secret.reveal()), 200)
    await check('a wrong token is refused', () => statusOf('0'.repeat(40)), 401)

    const again = create(open('a.sqlite3'))
    const { obtainAuthToken } = again.endpoints
    const logIn = async (password) => (await post(obtainAuthToken, { username: 'vitor', password })).status
    await check('a file is opened twice, and a right password logs in', () => logIn(PASSWORD), 200)
    await check('a wrong password is refused', () => logIn('wrong'), 400)
    await again.close()

    const view = (post) => app.handler(other.apiView({ permissions: [other.allowAny], post }))
    const statusOfView = async (handler) => (await post(view(handler), {})).status
    await check(
      'a response keeps its status',
      () => statusOfView(() => other.response({}, { status: 201 })),
      201,
    )
    const refuse = () => {
      throw new other.LatchkeyError('conflict')
    }
    await check('an error keeps its status', () => statusOfView(refuse), 409)
    await check(
      'an error is recognised',
      () => latchkey.isLatchkeyError(new other.LatchkeyError('busy'), 'busy'),
      true,
    )
    await check(
      'and by the other copy',
      () => other.isLatchkeyError(new latchkey.LatchkeyError('busy'), 'busy'),
      true,
    )
    await check(
      'a body that is no JSON is refused',
      async () => {
        const parsing = view((request) => request.data())
        const headers = { 'content-type': 'application/json' }
        return (await parsing(testing.fakeRequest({ method: 'POST', headers, body: '{' }))).status
      },
      400,
    )

    const mixed = latchkey.createLatchkey({
      store: open('a.sqlite3'),
      secret: SECRET,
      authentication: [other.tokenAuthentication()],
    })
    const mixedGate = mixed.gate([other.isAuthenticated])
    await check(
      'authenticators of the other copy let in',
      async () => (await mixedGate(request(secret.reveal()))).identity?.user.username,
      'vitor',
    )
    await mixed.close()

    await app.close()
    await check('a store that is closed is an outage', () => statusOf('1'.repeat(40)), 503)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  return faults
}
