/** A store whose promises and records come from another realm, as those of a driver in another vm context do. */
import { createContext, runInContext } from 'node:vm'
import type { Store } from 'latchkey'

const realm = createContext({})
const foreign: {
  later(promise: PromiseLike<unknown>): PromiseLike<unknown>
  date(ms: number): Date
  bytes(values: readonly number[]): Uint8Array
  list(values: ArrayLike<unknown>): readonly unknown[]
  object(entries: ReadonlyArray<readonly [string, unknown]>): object
} = runInContext(
  `({
    later: (promise) => new Promise((resolve, reject) => promise.then(resolve, reject)),
    date: (ms) => new Date(ms),
    bytes: (values) => Uint8Array.from(values),
    list: (values) => Array.from(values),
    object: (entries) => Object.fromEntries(Array.from(entries, ([name, value]) => [name, value])),
  })`,
  realm,
)

export function foreignValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date) return foreign.date(value.getTime())
  if (value instanceof Uint8Array) return foreign.bytes([...value])
  if (Array.isArray(value)) return foreign.list(value.map(foreignValue))
  return foreign.object(Object.entries(value).map(([name, member]) => [name, foreignValue(member)]))
}

export function foreignPromise(promise: PromiseLike<unknown>): PromiseLike<unknown> {
  return foreign.later(promise)
}

/** The same store, whose asynchronous methods answer with values of the other realm. */
export function foreignStore(store: Store): Store {
  const parts = Object.entries(store).map(([name, part]) => [
    name,
    typeof part === 'object' && name !== 'changes' ? foreignMethods(part) : part,
  ])
  return { ...Object.fromEntries(parts), close: () => store.close() } as Store
}

function foreignMethods(part: object): object {
  return new Proxy(part, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        const answer: unknown = Reflect.apply(member, target, args)
        return answer instanceof Promise ? foreignPromise(answer.then(foreignValue)) : answer
      }
    },
  })
}
