/** The state that each case starts from, and the operations that cases ask for: what `cases.json` says in `fixtures`. */
import { readFileSync } from 'node:fs'
import { createLatchkey, type Latchkey, type NewUserRecord, type Store } from 'latchkey'

export interface Fixtures {
  readonly jwtSigningKey: string
  readonly users: readonly FixtureUser[]
  readonly authTokens: ReadonlyArray<{ readonly username: string; readonly token: string }>
  readonly knoxTokens: ReadonlyArray<{
    readonly username: string
    readonly token: string
    /** From now on; negative: expired already; null: never. */
    readonly expiresInSeconds: number | null
  }>
  readonly sessions: ReadonlyArray<{ readonly username: string; readonly sessionid: string }>
}

interface FixtureUser {
  readonly id: number
  readonly username: string
  readonly password: string | null
  readonly isActive?: boolean
  readonly isStaff?: boolean
  readonly isSuperuser?: boolean
}

/** One operation of the control route. */
export interface Control {
  readonly op: string
  readonly username: string
  readonly fields?: {
    readonly isActive?: boolean
    readonly isStaff?: boolean
    readonly isSuperuser?: boolean
    readonly username?: string
    readonly password?: string | null
  }
}

export function readFixtures(file: string): Fixtures {
  return (JSON.parse(readFileSync(file, 'utf8')) as { fixtures: Fixtures }).fixtures
}

/** Hashing every password anew before each case would take most of the run: each is hashed once per process. */
export async function hashUsers(fixtures: Fixtures, store: Store): Promise<readonly NewUserRecord[]> {
  const latchkey = createLatchkey({ store, secret: 'only for hashing the passwords of fixtures' })
  const records: NewUserRecord[] = []
  for (const {
    username,
    password,
    isActive = true,
    isStaff = false,
    isSuperuser = false,
  } of fixtures.users) {
    const { id } = await latchkey.users.create({
      username,
      ...(password === null ? {} : { password }),
      allowWeakPassword: true,
    })
    const record = await store.users.findById(id)
    if (record === null) throw new Error(`user ${username} is gone`)
    records.push({ ...record, isActive, isStaff, isSuperuser })
  }
  return records
}

/** Brings an empty Latchkey to the fixture state. */
export async function loadFixtures(
  latchkey: Latchkey,
  store: Store,
  fixtures: Fixtures,
  users: readonly NewUserRecord[],
) {
  for (const [index, user] of users.entries()) {
    const inserted = await store.users.insert(user)
    const { id } = fixtures.users[index] ?? {}
    if (inserted === null || inserted.id !== id) throw new Error(`${user.username} should have the id ${id}`)
  }
  for (const { username, token } of fixtures.authTokens) {
    await latchkey.tokens.import({ user: await userNamed(latchkey, username), secret: token })
  }
  for (const { username, token, expiresInSeconds } of fixtures.knoxTokens) {
    await latchkey.tokens.import({
      user: await userNamed(latchkey, username),
      policy: 'knox',
      secret: token,
      ttlSeconds: expiresInSeconds,
    })
  }
  for (const { username, sessionid } of fixtures.sessions) {
    await latchkey.sessions.start(await userNamed(latchkey, username), { secret: sessionid })
  }
}

/** What a case may change between two requests, by name. */
export const CONTROLS: Readonly<Record<string, (latchkey: Latchkey, control: Control) => Promise<unknown>>> =
  {
    'set-user': async (latchkey, { username, fields = {} }) => {
      const user = await userNamed(latchkey, username)
      const { password, ...changes } = fields
      if (password !== undefined)
        await latchkey.users.setPassword(user, password, { allowWeakPassword: true })
      if (Object.keys(changes).length > 0) await latchkey.users.update(user, changes)
    },
    'delete-user': async (latchkey, { username }) =>
      latchkey.users.delete(await userNamed(latchkey, username)),
    'delete-auth-token': async (latchkey, { username }) =>
      latchkey.tokens.revokeAll({ user: await userNamed(latchkey, username), policy: 'authtoken' }),
    'delete-knox-tokens': async (latchkey, { username }) =>
      latchkey.tokens.revokeAll({ user: await userNamed(latchkey, username), policy: 'knox' }),
  }

async function userNamed(latchkey: Latchkey, username: string) {
  const user = await latchkey.users.findByUsername(username)
  if (user === null) throw new Error(`there is no user ${username}`)
  return user
}
