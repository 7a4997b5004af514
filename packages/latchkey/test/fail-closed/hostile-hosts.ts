/**
 * The programs in which Latchkey must fail closed: one row says how a program changes its own process. The child
 * process of the suite installs a row; `hostile-hosts.test.ts` sends the requests.
 *
 * Out of scope: code in the same process that attacks on purpose. It can replace `Map.prototype.get` by a function that
 * answers with another user, or read the store. Rows change the process as libraries, test tools and prototype
 * pollution do; collections are patched only by wrappers that return what the original returns.
 */
import { createRequire } from 'node:module'
import { runInNewContext } from 'node:vm'
import * as brand from '../../src/brand.js'

const require = createRequire(import.meta.url)

/** When the program changes the process: before Latchkey is imported, before an app is made, or while it serves. */
const ORDERS = ['before the import', 'before the app is made', 'while the app serves'] as const
export type Order = (typeof ORDERS)[number]

/** What most programs are tried in. */
export const BEFORE_AND_AFTER: readonly Order[] = ['before the import', 'while the app serves']

/** Which parts come from a second copy of the package: what an app imports, or the adapters and nothing else. */
export type Copies = 'parts' | 'adapters'

export interface HostileHost {
  readonly name: string
  /** Changes the process. */
  readonly install: () => void
  /**
   * What a good credential may get: 500 and a line in the log, or a refusal as well. Default is its own user and nothing
   * else.
   */
  readonly mayFail?: 'with 500' | 'refused'
  /** The frameworks do not work in this program; only Latchkey's own entry points are tried. */
  readonly withoutFrameworks?: boolean
  /** Default is `BEFORE_AND_AFTER`. */
  readonly orders?: readonly Order[]
  readonly copies?: Copies
  /** Everything that the store answers, promises included, comes from another realm. */
  readonly foreignStore?: boolean
}

const nothing = () => undefined

/** What test runners fake by default: without `nextTick`, Node itself stands still. */
const FAKED = [
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'],
  ...['setImmediate', 'clearImmediate', 'Date'],
]

/** Replaces a global, as assignments of a library do. */
function replaceGlobal(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false })
}

function polluted(
  name: string,
  members: object,
  more: Pick<HostileHost, 'mayFail' | 'orders'> = {},
): readonly HostileHost[] {
  return [true, false].map((enumerable) => ({
    ...more,
    name: `Object.prototype with ${name}, ${enumerable ? 'enumerable' : 'not enumerable'}`,
    install: () => {
      for (const key of Reflect.ownKeys(members)) {
        const value: unknown = Reflect.get(members, key)
        Object.defineProperty(Object.prototype, key, {
          value,
          enumerable,
          writable: true,
          configurable: true,
        })
      }
    },
    // Their code reads inherited members.
    withoutFrameworks: true,
  }))
}

const ROOT = {
  id: 1,
  username: 'root',
  email: '',
  isActive: true,
  isStaff: true,
  isSuperuser: true,
  dateJoined: new Date(0),
  lastLogin: null,
}

/** Every brand of Latchkey's own values, and an enumerable name like theirs. */
const BRANDS = Object.fromEntries(
  [...Object.values(brand).filter((value) => typeof value === 'symbol'), 'latchkey'].map((one) => [
    one,
    true,
  ]),
)

/** A thenable that a library may use in place of a promise: not a subclass, and without `catch`. */
class Later {
  readonly #inner: PromiseLike<unknown>
  constructor(executor: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void) {
    this.#inner = new PlainPromise(executor)
  }
  // biome-ignore lint/suspicious/noThenProperty: being a thenable is what this class is for
  then(resolved?: (value: unknown) => unknown, rejected?: (reason: unknown) => unknown): unknown {
    return new Later((resolve, reject) => this.#inner.then(resolved, rejected).then(resolve, reject))
  }
}

/** Keeps its own species, or `Later` would be made of itself for ever. */
class PlainPromise<Value> extends Promise<Value> {
  static override get [Symbol.species]() {
    return PlainPromise
  }
}

function clockThatGives(name: string, now: () => unknown): HostileHost {
  return {
    name: `Date.now that ${name}`,
    install: () => void Object.assign(Date, { now }),
    mayFail: 'with 500',
    withoutFrameworks: true,
    orders: ['while the app serves'],
  }
}

export const HOSTILE_HOSTS: readonly HostileHost[] = [
  { name: 'an ordinary program', install: nothing },
  { name: 'zone.js', orders: ORDERS, install: () => void require('zone.js/node') },
  {
    name: 'Bluebird as the global Promise',
    orders: ORDERS,
    install: () => replaceGlobal('Promise', require('bluebird')),
  },
  {
    name: 'core-js with every polyfill forced',
    orders: ORDERS,
    install: () => {
      require('core-js/configurator')({
        usePolyfill: ['Promise', 'Map', 'Set', 'WeakMap', 'Symbol', 'Array.from', 'Object.assign'],
      })
      require('core-js/actual')
    },
  },
  {
    name: 'a subclass as the global Promise',
    orders: ORDERS,
    install: () => replaceGlobal('Promise', class TracedPromise<T> extends Promise<T> {}),
  },
  {
    name: 'the Promise of another realm as the global one',
    orders: ORDERS,
    install: () => replaceGlobal('Promise', runInNewContext('Promise')),
  },
  {
    name: 'a species of Promise that is a bare thenable',
    install: () => void Object.defineProperty(Promise, Symbol.species, { value: Later }),
    mayFail: 'with 500',
    withoutFrameworks: true,
    // Node imports nothing then.
    orders: ['while the app serves'],
  },
  {
    name: 'an instrumented Promise.prototype.then',
    install: () => {
      const { then } = Promise.prototype
      // biome-ignore lint/suspicious/noThenProperty: instrumentation replaces exactly this
      Promise.prototype.then = function instrumented(this: unknown, ...args: unknown[]) {
        return Reflect.apply(then, this, args)
      } as typeof then
    },
  },
  {
    name: 'instrumented collections',
    install: () => {
      for (const [prototype, name] of [
        [Map.prototype, 'get'],
        [Set.prototype, 'has'],
        [Array.prototype, 'includes'],
      ] as const) {
        const original: (...args: unknown[]) => unknown = Reflect.get(prototype, name)
        Reflect.set(prototype, name, function instrumented(this: unknown, ...args: unknown[]) {
          return Reflect.apply(original, this, args)
        })
      }
    },
  },
  { name: 'mockdate', install: () => require('mockdate').set(Date.now()) },
  {
    name: 'fake timers of sinon',
    install: () =>
      require('@sinonjs/fake-timers').install({ now: Date.now(), shouldAdvanceTime: true, toFake: FAKED }),
    mayFail: 'with 500',
    withoutFrameworks: true,
  },
  {
    name: 'sugar, with Object.prototype',
    install: () => require('sugar').extend({ objectPrototype: true }),
    withoutFrameworks: true,
  },
  { name: 'sugar', install: () => require('sugar').extend() },
  {
    name: 'toJSON of old Prototype',
    install: () => {
      const text = (value: unknown): string => {
        if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`
        return typeof value === 'string' ? `"${value}"` : String(value)
      }
      for (const prototype of [Array.prototype, String.prototype, Date.prototype]) {
        Reflect.set(prototype, 'toJSON', function toJSON(this: object) {
          return text(this.valueOf())
        })
      }
    },
    mayFail: 'with 500',
  },
  {
    name: 'Object.prototype.toJSON',
    install: () => {
      Object.defineProperty(Object.prototype, 'toJSON', {
        value(this: object) {
          return `{${Object.keys(this).join()}}`
        },
        configurable: true,
        writable: true,
      })
    },
    mayFail: 'with 500',
  },
  ...polluted('an identity', {
    user: ROOT,
    refusal: null,
    kind: 'created',
    scopes: ['*'],
    scope: '*',
  }),
  ...polluted('the members of a user', ROOT),
  ...polluted('the members of an answer', {
    status: 200,
    message: 'polluted',
    code: 'not_found',
    fields: {},
    extra: {},
    allowed: true,
    waitSeconds: 0,
    detail: 'polluted',
  }),
  ...polluted('the members of a token', {
    policy: 'authtoken',
    hint: '…',
    expiresAt: null,
    previous: null,
    allowedAddresses: null,
    endsAtMs: Number.POSITIVE_INFINITY,
    session: { expiresAt: new Date(8e14), passwordVersion: 1 },
    known: 'live',
    notBefore: null,
  }),
  ...polluted('the members of a permission', {
    allows: () => true,
    requiresUser: false,
    deniedBy: () => ({ message: 'polluted' }),
    name: 'polluted',
  }),
  ...polluted(
    'options of createLatchkey and of views',
    {
      permissions: [],
      authentication: [],
      policies: [],
      kinds: [{ recognises: () => true, verify: () => ({ user: ROOT, auth: null }) }],
      jwt: {},
      users: { findById: async () => ROOT, findByUsername: async () => ROOT },
      challenge: 'Polluted',
      tokenUser: () => ROOT,
      isKnownScope: () => true,
      ownerScopes: () => ['*'],
    },
    { mayFail: 'with 500' },
  ),
  // Node takes a URL for another object then, and imports nothing.
  ...polluted('`auth`', { auth: { scopes: ['*'] } }, { orders: ['while the app serves'] }),
  ...polluted('`then` that is not a function', {
    // biome-ignore lint/suspicious/noThenProperty: pollution by data writes any name
    then: 'polluted',
  }),
  ...polluted('the brands of Latchkey', BRANDS),
  {
    name: 'frozen intrinsics',
    install: () => {
      for (const one of [Object, Array, Promise, Map, Set, Function, Error, Date, String, Symbol, JSON]) {
        Object.freeze(one)
        if ('prototype' in one) Object.freeze(one.prototype)
      }
    },
    // They assign inherited members, which throws then.
    withoutFrameworks: true,
  },
  clockThatGives('returns NaN', () => Number.NaN),
  clockThatGives('returns a text', () => new Date().toISOString()),
  clockThatGives('returns undefined', nothing),
  clockThatGives('returns a Date', () => new Date(0)),
  clockThatGives('throws', () => {
    throw new Error('no time')
  }),
  {
    name: 'JSON.parse that gives objects without a prototype',
    install: () => {
      const { parse } = JSON
      JSON.parse = (text, reviver) => {
        const bare = (value: unknown): unknown =>
          typeof value === 'object' && value !== null && !Array.isArray(value)
            ? Object.assign(Object.create(null), value)
            : value
        return bare(parse(text, (key, value) => bare(reviver ? reviver(key, value) : value)))
      }
    },
  },
  {
    name: 'JSON.parse that gives integers as bigint',
    install: () => {
      const { parse } = JSON
      JSON.parse = (text) =>
        parse(text, (_, value: unknown) => (Number.isInteger(value) ? BigInt(Number(value)) : value))
    },
    mayFail: 'refused',
    withoutFrameworks: true,
  },
  { name: 'a store that answers with values of another realm', install: nothing, foreignStore: true },
  { name: 'two copies of the package, all parts of the other', install: nothing, copies: 'parts' },
  { name: 'two copies of the package, adapters of the other', install: nothing, copies: 'adapters' },
]
