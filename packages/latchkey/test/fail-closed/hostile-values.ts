/** What an app's code may answer by mistake, and the ways in which it may answer. Rows of `hostile-answers.ts` pick. */
import { createContext, runInContext } from 'node:vm'
import type { User } from '../../src/index.js'

/** An answer by name, made anew each time: some can be read once only. It may throw. */
export type Answers = Readonly<Record<string, () => unknown>>

const otherRealm = createContext({})
const inOtherRealm = (code: string): unknown => runInContext(code, otherRealm)

/** Complete, so that only what a row changes is wrong. */
export const ALICE: User = Object.freeze({
  id: 7,
  username: 'alice',
  email: '',
  isActive: true,
  isStaff: false,
  isSuperuser: false,
  dateJoined: new Date(0),
  lastLogin: null,
})

type Then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void
export const thenable = (then: Then): object => Object.fromEntries([['then', then]])

/** Each answer as it is, and as what `await` takes for a promise of it. */
export function everyWay(answers: Answers): Answers {
  return Object.fromEntries(
    Object.entries(answers).flatMap(([name, answer]) =>
      Object.entries(WAYS).map(([way, wrap]) => [`${name}${way}`, () => wrap(answer)] as const),
    ),
  )
}

const WAYS: Readonly<Record<string, (answer: () => unknown) => unknown>> = {
  '': (answer) => answer(),
  ', promised': async (answer) => answer(),
  ', promised in another realm': (answer) =>
    (inOtherRealm('(value) => new Promise((resolve) => resolve(value()))') as (value: unknown) => unknown)(
      answer,
    ),
  ', by a thenable': (answer) => thenable((resolve) => resolve(answer())),
  ', by a thenable that calls back later and twice': (answer) =>
    thenable((resolve) =>
      queueMicrotask(() => {
        resolve(answer())
        resolve({ user: ALICE, auth: null })
      }),
    ),
}

/** Code that fails, in every way in which code fails. */
export const FAILURES: Answers = {
  'an error': () => {
    throw new Error('failed on purpose')
  },
  'a thrown text': () => {
    throw 'failed on purpose'
  },
  'a rejection with undefined': () => Promise.reject(undefined),
  'a rejection with a text': () => Promise.reject('failed on purpose'),
  'a rejection with an error of another realm': () => inOtherRealm("Promise.reject(new Error('failed'))"),
  'a thenable that throws': () =>
    thenable(() => {
      throw new Error('failed on purpose')
    }),
  'a thenable that rejects': () => thenable((_, reject) => reject(new Error('failed on purpose'))),
}

const SCALARS: Answers = {
  false: () => false,
  true: () => true,
  '0': () => 0,
  '1': () => 1,
  NaN: () => Number.NaN,
  'a bigint': () => 1n,
  'an empty text': () => '',
  'a text': () => 'alice',
  'a symbol': () => Symbol('alice'),
  'a function': () => () => ({ user: ALICE, auth: null }),
}

const EMPTY: Answers = {
  'an empty object': () => ({}),
  'an empty list': () => [],
  'an object of another realm': () => inOtherRealm('({})'),
  'an object without a prototype': () => Object.create(null),
  'a proxy that has everything': () =>
    new Proxy({}, { get: (_, name) => (name === 'then' ? undefined : true) }),
  'a Map': () => new Map([['user', ALICE]]),
}

/** A user in which one field is not what it must be. */
const BROKEN_USERS: Readonly<Record<string, unknown>> = {
  'undefined as user': undefined,
  'an empty user': {},
  'true as user': true,
  'a text as user': 'alice',
  'a list as user': [ALICE],
  'a promise of a user': Promise.resolve(ALICE),
  'a user with isActive f': { ...ALICE, isActive: 'f' },
  'a user with isActive 1': { ...ALICE, isActive: 1 },
  'a user with isStaff true as text': { ...ALICE, isStaff: 'true' },
  'a user without isActive': { ...ALICE, isActive: undefined },
  'a user without isStaff': { ...ALICE, isStaff: undefined },
  'a user without an id': { ...ALICE, id: undefined },
  'a user with a null id': { ...ALICE, id: null },
  'a user with an id that is NaN': { ...ALICE, id: Number.NaN },
  'a user with an id that is an object': { ...ALICE, id: { $oid: '7' } },
  'a user without a name': { ...ALICE, username: undefined },
  'a user with a date that is a text': { ...ALICE, dateJoined: '1970-01-01' },
}

export const BAD_IDENTITIES: Answers = {
  ...SCALARS,
  ...EMPTY,
  'a user that is not wrapped': () => ALICE,
  'a user without auth': () => ({ user: ALICE }),
  'null as user, without auth': () => ({ user: null }),
  ...Object.fromEntries(
    Object.entries(BROKEN_USERS).map(([name, user]) => [name, () => ({ user, auth: null })] as const),
  ),
  'a getter that throws': () => ({
    get user() {
      throw new Error('failed on purpose')
    },
    auth: null,
  }),
  'an identity whose user is inherited': () =>
    Object.create(Object.create(null, { user: { value: undefined } })),
  'a user that changes between two reads': () => {
    let reads = 0
    return {
      get user() {
        reads += 1
        return reads === 1 ? {} : ALICE
      },
      auth: null,
    }
  },
}

/** For whatever must be exactly `true`. */
export const NOT_TRUE: Answers = {
  '1': () => 1,
  'a text': () => 'true',
  'the text false': () => 'false',
  'a boxed true': () => Object(true),
  'a function': () => () => true,
  'a bigint': () => 1n,
  'a symbol': () => Symbol('yes'),
  ...EMPTY,
  null: () => null,
  undefined: () => undefined,
}

/** For whatever must be a boolean at once. */
export const PROMISES_OF_TRUE: Answers = {
  'a promise of true': () => Promise.resolve(true),
  'a promise of true of another realm': () => inOtherRealm('Promise.resolve(true)'),
  'a thenable of true': () => thenable((resolve) => resolve(true)),
}

/** For records of a user source; `null` and `undefined` mean "not found". */
export const BAD_RECORDS: Answers = {
  ...SCALARS,
  ...EMPTY,
  ...Object.fromEntries(
    Object.entries(BROKEN_USERS)
      .filter(([, user]) => typeof user === 'object' && !Array.isArray(user) && !(user instanceof Promise))
      .map(([name, user]) => [name, () => user] as const),
  ),
  'a list of users': () => [ALICE],
}

export const BAD_TIMES: Answers = {
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  undefined: () => undefined,
  null: () => null,
  'a text': () => '2030-01-01',
  'a Date': () => new Date(0),
  'a bigint': () => 0n,
  'a promise': () => Promise.resolve(0),
  'an error': () => {
    throw new Error('no time')
  },
}
