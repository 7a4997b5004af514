/**
 * How what an app passes in is checked: each kind of options has one table, which names every option and what it must
 * be. Asked once, when something is made, so that a mistake is found before the first request. A leaf.
 */
import { handleRejection, isThenable } from './thenable.js'

/** What a value must be: words that follow "must", and a test. */
export interface Rule {
  readonly must: string
  readonly holds: (value: unknown) => boolean
  /** True: it cannot be left out. Default is false. */
  readonly isRequired?: boolean
}

/** Every option there is, by name. */
export type Rules<Options> = { readonly [Name in keyof Options]-?: Rule }

export const BOOLEAN: Rule = rule('be true or false', (value) => typeof value === 'boolean')
export const TEXT: Rule = rule('be a text', (value) => typeof value === 'string')
export const TEXTS: Rule = listOf('texts', TEXT.holds)
/** A token of RFC 9110, 5.6.2: a keyword of `Authorization`, the name of a header or of a cookie. */
export const HTTP_TOKEN: Rule = rule(
  'be one word, as HTTP has them',
  (value) => typeof value === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value),
)
export const FUNCTION: Rule = rule('be a function', (value) => typeof value === 'function')
export const ABOVE_0: Rule = rule(
  'be a number above 0',
  (value) => Number.isFinite(value) && Number(value) > 0,
)
/** For what is checked elsewhere, and more closely. */
export const ANYTHING: Rule = rule('be anything', () => true)
export const OPTIONS: Rule = rule('be an object of options', isObject)

export function rule(must: string, holds: (value: unknown) => boolean): Rule {
  return Object.freeze({ must, holds })
}

export function required(inner: Rule): Rule {
  return Object.freeze({ ...inner, isRequired: true })
}

/** The same rules, for options that all have to be there. */
export function allRequired<Table extends Readonly<Record<string, Rule>>>(rules: Table): Table {
  return Object.fromEntries(Object.entries(rules).map(([name, one]) => [name, required(one)])) as Table
}

export function orNull({ must, holds }: Rule): Rule {
  return rule(`${must}, or null`, (value) => value === null || holds(value))
}

/** A finite number from `least` to `most`. */
export function numberRule(least: number, most = Number.POSITIVE_INFINITY): Rule {
  const range = Number.isFinite(most) ? `from ${least} to ${most}` : `of ${least} or more`
  return rule(
    `be a number ${range}`,
    (value) => typeof value === 'number' && Number.isFinite(value) && value >= least && value <= most,
  )
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): Rule {
  const range = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `of ${least} or more`
  return rule(
    `be a whole number ${range}`,
    (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
  )
}

/** @param what the elements in words: `authenticators, such as tokenAuthentication()` */
export function listOf(what: string, holds: (element: unknown) => boolean): Rule {
  return rule(`be a list of ${what}`, (value) => Array.isArray(value) && value.every(holds))
}

/** A list that has at least one element. */
export function someOf(what: string, holds: (element: unknown) => boolean): Rule {
  const list = listOf(what, holds)
  return rule(
    `be a list of ${what}, at least one`,
    (value) => list.holds(value) && Array.isArray(value) && value.length > 0,
  )
}

export function oneOf(...values: readonly unknown[]): Rule {
  return rule(`be one of ${values.map((value) => `'${value}'`).join(', ')}`, (value) =>
    values.includes(value),
  )
}

/** An object that is none of ours: what it must be able to do. */
export function having(what: string, ...methods: readonly string[]): Rule {
  return rule(`be ${what}`, hasMethods(...methods))
}

/** Whether a value is an object that has all of these methods. A factory that was not called is none. */
export function hasMethods(...methods: readonly string[]): (value: unknown) => boolean {
  return (value) => isObject(value) && methods.every((name) => typeof Reflect.get(value, name) === 'function')
}

/** Whether a value is an object that has this member. */
export function hasMember(name: string): (value: unknown) => boolean {
  return (value) => isObject(value) && name in value
}

/** A frozen copy of an object's own members, in which nothing is found that somebody added to `Object.prototype`. */
export function prototypeFree<Value extends object>(value: Value): Readonly<Value> {
  return Object.freeze(Object.assign(Object.create(null), value))
}

/** Options without those that are `undefined`, so that they do not hide a default that stands before them. */
export function given<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options
}

/**
 * Checks that these are options and no others. An option that is `undefined` is one that was left out.
 *
 * @returns a copy without a prototype, so that an option that was left out is never found on `Object.prototype`
 * @param call what they were given to: `createLatchkey`
 * @param path what stands before their names: `jwt.`
 * @throws TypeError that names the option
 */
export function checkOptions<Options extends object>(
  call: string,
  options: Options,
  rules: Rules<Options>,
  path = '',
): Options {
  if (!isObject(options)) throw new TypeError(`${call}: takes an object of options`)
  const own = prototypeFree(options)
  for (const name of Object.keys(own)) {
    if (!Object.hasOwn(rules, name)) {
      throw new TypeError(`${path}${name}: ${call} has no such option, only ${Object.keys(rules).join(', ')}`)
    }
  }
  for (const [name, one] of Object.entries<Rule>(rules))
    checkValue(`${path}${name}`, Reflect.get(own, name), one)
  return own
}

/** @throws TypeError `<name>: must …` */
export function checkValue(name: string, value: unknown, { must, holds, isRequired = false }: Rule): void {
  if (value === undefined ? isRequired : !holds(value)) throw new TypeError(`${name}: must ${must}`)
}

/**
 * Checks what a function of an app answered, where the answer enters. It does not wait: a promise is refused, and its
 * rejection handled.
 *
 * @param name the function, as the app knows it: `jwt.tokenUser()`
 * @throws TypeError `<name>: must return …`
 */
export function checkAnswer(name: string, answer: unknown, { must, holds }: Rule): void {
  if (!isThenable(answer) && holds(answer)) return
  handleRejection(answer)
  const what = must.replace(/^be /, '')
  throw new TypeError(`${name}: must return ${what}${isThenable(answer) ? ', and no promise' : ''}`)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
