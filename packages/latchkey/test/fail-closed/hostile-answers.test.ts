/** An app's own code that answers wrongly never lets anybody in, and the log names it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  apiView,
  createLatchkey,
  type Identity,
  isAuthenticated,
  isLatchkeyError,
  knox,
  memoryStore,
  personalTokens,
  signingKey,
  tokenAuthentication,
} from '../../src/index.js'
import { fakeRequest } from '../../src/testing/index.js'
import { TOKEN_POLICY_RULES } from '../../src/tokens/token-policy.js'
import { ROWS } from './hostile-answers.js'
import { ALICE, FAILURES, thenable } from './hostile-values.js'
import { SECRET, type Seen } from './trial.js'

const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 429, 500, 503])

/** Rejections that nobody handles would end the process. */
const unhandled: unknown[] = []
const note = (reason: unknown) => unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

describe.each(ROWS)('$callback $method', ({ answers, come, names, reaches = 0 }) => {
  it.each(Object.entries(answers))('that answers %s lets nobody in', async (_, answer) => {
    const seen = await come(answer)
    expectRefused(seen, reaches)
    if (names === undefined || !seen.statuses.includes(500)) return
    const said = seen.errors.map(textOf)
    // Code that throws says itself what is wrong.
    if (!said.every((text) => text.includes('on purpose'))) expect(said.join('\n')).toMatch(names)
    expect(seen.errors.every(isClear), String(seen.errors[0])).toBe(true)
  })

  it.each(Object.entries(FAILURES))('that fails by %s lets nobody in', async (_, answer) => {
    expectRefused(await come(answer), reaches)
  })
})

function expectRefused({ reached, statuses, errors }: Seen, reaches: number): void {
  expect(reached).toHaveLength(reaches)
  const refused = statuses.filter((status) => status !== 200 || reaches === 0)
  expect(refused.filter((status) => !REFUSED.has(status))).toEqual([])
  if (reaches === 0 && statuses.includes(500)) expect(errors.length).toBeGreaterThan(0)
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A mistake of the app is a TypeError; anything thrown by its own code is its own. */
function isClear(error: unknown): boolean {
  return (
    error instanceof TypeError || isLatchkeyError(error) || /on purpose|no time|refused/.test(textOf(error))
  )
}

describe('an identity of an app', () => {
  const ask = async (answer: unknown) => {
    const latchkey = createLatchkey({
      store: memoryStore(),
      secret: SECRET,
      authentication: [{ name: 'Own', challenge: null, authenticate: () => answer as Identity }],
    })
    return latchkey.gate([isAuthenticated])(fakeRequest())
  }

  it('is the one that was checked, whatever its getters give at a second read', async () => {
    const names = ['id', 'username', 'isStaff'] as const
    const changing = { ...ALICE }
    for (const name of names) {
      let reads = 0
      Object.defineProperty(changing, name, {
        enumerable: true,
        get: () => {
          reads += 1
          return reads === 1 ? ALICE[name] : { id: 1, username: 'root', isStaff: true }[name]
        },
      })
    }
    const { identity } = await ask({ user: changing, auth: null })
    expect(identity?.user).toEqual(ALICE)
  })

  it('does not change when the app changes its object afterwards', async () => {
    const user = { ...ALICE, dateJoined: new Date(0) }
    const answer = { user, auth: null }
    const { identity } = await ask(answer)
    Object.assign(user, { id: 1, username: 'root', isStaff: true })
    Object.assign(answer, { user: { ...ALICE, id: 1 } })
    expect(identity?.user).toEqual(ALICE)
  })

  it('has no other members than a user has', async () => {
    const { identity } = await ask({ user: { ...ALICE, passwordHash: 'secret' }, auth: null })
    expect(Object.keys(identity?.user ?? {}).sort()).toEqual(Object.keys(ALICE).sort())
  })

  it('waits for a thenable that never calls back, and lets nobody in meanwhile', async () => {
    let isReached = false
    const view = apiView({
      permissions: [isAuthenticated],
      get: () => {
        isReached = true
      },
    })
    const latchkey = createLatchkey({
      store: memoryStore(),
      secret: SECRET,
      authentication: [
        { name: 'Own', challenge: null, authenticate: () => thenable(() => undefined) as Promise<Identity> },
      ],
    })
    void latchkey.handler(view)(fakeRequest())
    void Promise.resolve(latchkey.gate([isAuthenticated])(fakeRequest())).then(() => {
      isReached = true
    })
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(isReached).toBe(false)
  })
})

describe('every callback has a row', () => {
  /** Lists and groups of plain data; those of policies that are code have rows of `policy`. */
  const DATA: ReadonlySet<string> = new Set(['createLatchkey.policies', 'policy.renewal'])
  const needed = { store: memoryStore(), secret: SECRET }
  const jwt = { signingKey: signingKey({ algorithm: 'HS256', key: SECRET }) }
  /** Each kind of options: how it is given one. */
  const GROUPS: Readonly<Record<string, (options: object) => unknown>> = {
    createLatchkey: (options) => createLatchkey({ ...needed, ...options }),
    jwt: (options) => createLatchkey({ ...needed, jwt: { ...jwt, ...options } }),
    passwords: (options) => createLatchkey({ ...needed, passwords: options }),
    sessions: (options) => createLatchkey({ ...needed, sessions: options }),
    tokenAuthentication,
    knox,
    personalTokens,
    policy: (options) => createLatchkey({ ...needed, policies: [{ ...knox().policy, ...options }] }),
  }

  it.each(Object.entries(GROUPS))('of %s', (group, give) => {
    const names = group === 'policy' ? Object.keys(TOKEN_POLICY_RULES) : optionsOf(give)
    expect(names.length).toBeGreaterThan(0)
    const callbacks = names.filter((name) => !DATA.has(`${group}.${name}`) && takesCode(give, name))
    const rows = new Set(ROWS.map(({ callback }) => callback))
    const missing = callbacks.map((name) => `${group}.${name}`).filter((callback) => !rows.has(callback))
    expect(missing.filter((name) => !Object.hasOwn(GROUPS, name.replace(/^createLatchkey\./, '')))).toEqual(
      [],
    )
  })

  it('and no row is of an option that is gone', () => {
    const there = Object.entries(GROUPS).flatMap(([group, give]) =>
      (group === 'policy' ? Object.keys(TOKEN_POLICY_RULES) : optionsOf(give)).map(
        (name) => `${group}.${name}`,
      ),
    )
    expect(ROWS.map(({ callback }) => callback).filter((callback) => !there.includes(callback))).toEqual([])
  })

  /** The refusal of an option that does not exist names all that do. */
  function optionsOf(give: (options: object) => unknown): readonly string[] {
    try {
      give({ noSuchOption: 1 })
    } catch (error) {
      return textOf(error)
        .replace(/^.* only /, '')
        .split(', ')
    }
    return []
  }

  /**
   * Whether an option takes a function, or an object with methods, or a list of those, and refuses what has none. What
   * takes both is a group of options or plain data.
   */
  function takesCode(give: (options: object) => unknown, name: string): boolean {
    const nothing = () => undefined
    const named = { name: 'x', stage: 'address', rate: { maxCount: 1, periodSeconds: 1 } }
    const able = new Proxy(named, { get: (target, key) => Reflect.get(target, key) ?? nothing })
    const isTaken = (value: unknown) => {
      try {
        give({ [name]: value })
        return true
      } catch (error) {
        return !textOf(error).includes(': must ')
      }
    }
    const pairs: ReadonlyArray<readonly [unknown, unknown]> = [
      [nothing, '\u0000'],
      [able, {}],
      [[able], [{}]],
    ]
    return pairs.some(([code, data]) => isTaken(code) && !isTaken(data))
  }
})
