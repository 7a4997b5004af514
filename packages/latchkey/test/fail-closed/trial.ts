/** One Latchkey of which one callback is hostile, and what became of the requests that were sent to it. */
import {
  apiView,
  argon2id,
  createLatchkey,
  isAuthenticated,
  type Latchkey,
  type LatchkeyOptions,
  memoryStore,
  type Permission,
  type User,
} from '../../src/index.js'
import { fakeRequest } from '../../src/testing/index.js'

/** What was seen of a trial. */
export interface Seen {
  /** Handlers that ran and logins that gave out a token. */
  readonly reached: ReadonlyArray<User | null>
  readonly statuses: readonly number[]
  /** What `onError` was called with. */
  readonly errors: readonly unknown[]
}

export const SECRET = 'a secret of at least thirty-two characters'
export const PASSWORD = 'open sesame 1'

export interface Trial extends Seen {
  readonly latchkey: Latchkey
  /** Comes to a gate and to a view with these headers. */
  visit(headers: Readonly<Record<string, string>>, permissions?: readonly Permission[]): Promise<Trial>
  /** Logs in at `/api-token-auth/`. */
  logIn(username: string, password: string): Promise<Trial>
  /** Does what must be refused; an exception is a refusal, and is seen as an error. */
  attempt(narrow: () => unknown): Promise<Trial>
}

/** A Latchkey with these options, which fit no type on purpose. */
export function trial(options: Readonly<Record<string, unknown>>): Trial {
  const errors: unknown[] = []
  const statuses: number[] = []
  const reached: Array<User | null> = []
  const usual: LatchkeyOptions = {
    store: memoryStore(),
    secret: SECRET,
    passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
    onError: (error) => errors.push(error),
  }
  const latchkey = createLatchkey({ ...usual, ...options })
  const self: Trial = {
    latchkey,
    errors,
    statuses,
    reached,
    async visit(headers, permissions = [isAuthenticated]) {
      const { identity, refusal } = await latchkey.gate(permissions)(fakeRequest({ headers }))
      if (refusal === null) reached.push(identity.user)
      statuses.push(refusal === null ? 200 : refusal.status)
      const view = apiView({ permissions, get: ({ user }) => void reached.push(user) })
      statuses.push((await latchkey.handler(view)(fakeRequest({ headers }))).status)
      return self
    },
    async logIn(username, password) {
      const { status, body } = await latchkey.endpoints.obtainAuthToken(
        fakeRequest({
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ username, password }),
        }),
      )
      statuses.push(status)
      if (String(body).includes('"token"')) reached.push(null)
      return self
    },
    async attempt(act) {
      try {
        await act()
        reached.push(null)
        statuses.push(200)
      } catch (error) {
        errors.push(error)
        statuses.push(500)
      }
      return self
    },
  }
  return self
}
