/**
 * The limits on failed logins: per account and address, per account over all addresses, per address over all accounts.
 * The login service asks before a password is checked; the counters are those of all processes.
 */
import { hash } from 'node:crypto'
import { addressBucket } from '../client-address.js'
import type { Clock } from '../clock.js'
import type { UserId } from '../identity.js'
import { type Rate, throttledError } from '../rates.js'
import type { CounterStore, UserRecord } from '../stores/store.js'
import { foldedName } from './account-name.js'
import type { KnownAddresses } from './known-addresses.js'

export interface LoginRates {
  /** Failed logins per account and address. */
  readonly pair: Rate | null
  /** Failed logins per account, from all addresses that the user has not logged in from. */
  readonly account: Rate | null
  /** Failed logins per address, for all accounts. */
  readonly address: Rate | null
}

export interface LoginLimitsOptions {
  readonly rates: LoginRates
  readonly counters: CounterStore
  readonly clock: Clock
  readonly knownAddresses: KnownAddresses
  /** True: the source finds exactly the name that is typed. False: it may ignore case, width or accents. */
  readonly exactUsernames: boolean
}

/** One login that was typed: who was found by the name, if anyone, and where it comes from. */
export interface LoginAttempt {
  readonly username: string
  readonly address: string
  readonly record: UserRecord | null
}

/** The events of one limit under one key. */
interface LimitedKey {
  readonly key: string
  readonly rate: Rate
  readonly kind: keyof LoginRates
}

/** The counting of one attempt. */
export interface CountedAttempt {
  /** Throws `throttled` when a limit is reached. Counts nothing. */
  peek(): Promise<void>
  /** Counts the attempt, or throws `throttled` and counts nothing. */
  count(): Promise<void>
  /** After the right password: the attempt no longer counts, and earlier ones of the account from the address neither. */
  forget(): Promise<void>
}

export class LoginLimits {
  readonly #options: LoginLimitsOptions

  constructor(options: LoginLimitsOptions) {
    this.#options = options
  }

  /** Known and unknown users cost the same operations of the counters. */
  attempt(attempt: LoginAttempt): CountedAttempt {
    const { counters, clock } = this.#options
    let keys = this.#keysOf(attempt)
    let countedAtMs: number | undefined
    /** The account's own limit does not hold where its user has logged in from before. */
    const throwUnlessKnown = async (refused: readonly Refusal[]) => {
      const others = refused.filter(({ kind }) => kind !== 'account')
      const isExempt = others.length < refused.length && (await this.#isKnown(attempt))
      const waits = (isExempt ? others : refused).map(({ waitSeconds }) => waitSeconds)
      if (waits.length > 0) throw throttledError(Math.max(...waits))
      keys = keys.filter(({ kind }) => kind !== 'account')
    }
    return {
      async peek() {
        const nowMs = clock.nowMs()
        const looks = keys.map(async ({ key, rate, kind }) => ({
          kind,
          ...(await counters.peek(key, rate, nowMs)),
        }))
        const refused = (await Promise.all(looks)).filter(({ allowed }) => !allowed)
        if (refused.length > 0) await throwUnlessKnown(refused)
      },
      async count() {
        const nowMs = clock.nowMs()
        const hits = keys.map(async (one) => ({ ...one, ...(await counters.hit(one.key, one.rate, nowMs)) }))
        const answers = await Promise.all(hits)
        const refused = answers.filter(({ allowed }) => !allowed)
        countedAtMs = nowMs
        if (refused.length === 0) return
        const undo = (wanted: (kind: keyof LoginRates) => boolean) =>
          Promise.all(
            answers
              .filter(({ allowed, kind }) => allowed && wanted(kind))
              .map(({ key }) => counters.undo(key, nowMs)),
          )
        try {
          await throwUnlessKnown(refused)
        } catch (error) {
          await undo(() => true)
          throw error
        }
        await undo((kind) => kind === 'account')
      },
      async forget() {
        const atMs = countedAtMs
        if (atMs === undefined) return
        await Promise.all(
          keys.map(({ key, kind }) => (kind === 'pair' ? counters.clear(key) : counters.undo(key, atMs))),
        )
      },
    }
  }

  #isKnown({ record, address }: LoginAttempt): Promise<boolean> {
    return this.#options.knownAddresses.isKnown(record?.id ?? null, address)
  }

  #keysOf({ username, address, record }: LoginAttempt): readonly LimitedKey[] {
    const { pair, account, address: perAddress } = this.#options.rates
    const bucket = addressBucket(address)
    const keys: LimitedKey[] = []
    for (const name of this.#accountNames(username, record?.id ?? null)) {
      if (pair !== null) keys.push({ kind: 'pair', rate: pair, key: keyOf('pair', name, bucket) })
      if (account !== null) keys.push({ kind: 'account', rate: account, key: keyOf('account', name) })
    }
    // Where the address is not known all callers would share one limit.
    if (perAddress !== null && bucket !== '')
      keys.push({ kind: 'address', rate: perAddress, key: keyOf('address', bucket) })
    return keys
  }

  /**
   * What the account is counted by: the id of the user who was found, else the typed name. A source that may ignore case
   * finds one user by many names, so there unknown names are counted in one spelling. Known ones are as well, besides
   * their id: otherwise the number of names that share a limit would tell whether the user exists.
   */
  #accountNames(username: string, id: UserId | null): ReadonlyArray<readonly unknown[]> {
    if (this.#options.exactUsernames) return [id === null ? ['name', username] : ['id', id]]
    const folded = foldedName(username)
    return [id === null ? ['name', folded] : ['id', id], ['folded', folded]]
  }
}

interface Refusal {
  readonly kind: keyof LoginRates
  readonly waitSeconds: number
}

/** Hashed: usernames are of any length, and what was typed into a username field may be a password. */
function keyOf(...parts: readonly unknown[]): string {
  return `login:${hash('sha256', JSON.stringify(parts), 'base64url')}`
}
