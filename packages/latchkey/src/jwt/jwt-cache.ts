/** Recently verified JWTs in memory: the JWT service asks it before it checks a signature; the change feed empties it. */
import { Generations } from '../cache/generations.js'
import { type Mark, Marks } from '../cache/marks.js'
import { canonicalUserId, type Identity, type UserId } from '../identity.js'
import type { Change } from '../stores/store.js'
import type { ClaimTimes } from './claims.js'
import type { JsonObject } from './json-object.js'

/** By what a change may name a token. */
export interface JwtNames {
  /** Every id that the user may be named by, in any spelling. */
  readonly userIds: readonly UserId[]
  readonly jti: string
}

interface Entry {
  readonly identity: Identity<JsonObject>
  /** The token's `exp`, judged at every use. */
  readonly exp: number
  readonly users: readonly (readonly [UserId, Mark])[]
  readonly jti: readonly [string, Mark]
}

/** At most `2 * maxEntries` tokens, by the digest of the whole token: see `Generations`. */
export class JwtCache {
  readonly #entries: Generations<Entry>
  readonly #users = new Marks<UserId>()
  readonly #jtis = new Marks<string>()
  #epoch = 0

  constructor(maxEntries: number) {
    this.#entries = new Generations(maxEntries, {
      isCurrent: ({ users, jti }) => jti[1].current && users.every(([, mark]) => mark.current),
      onKept: ({ users, jti }) => {
        for (const [userId, mark] of users) this.#users.keep(userId, mark)
        this.#jtis.keep(...jti)
      },
      onTurn: () => {
        this.#users.turn()
        this.#jtis.turn()
      },
    })
  }

  /** Moves with every change: an answer from before a change is not kept. */
  get epoch(): number {
    return this.#epoch
  }

  /** Undefined once it has expired: the cold path then refuses it in its own words. */
  get(key: string, { nowSeconds, leewaySeconds }: ClaimTimes): Identity<JsonObject> | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.exp > nowSeconds - leewaySeconds ? entry.identity : undefined
  }

  set(key: string, identity: Identity<JsonObject>, exp: number, names: JwtNames, epoch: number): void {
    if (epoch !== this.#epoch) return
    const markOf = <Name>(marks: Marks<Name>, name: Name) =>
      [name, marks.find(name) ?? { current: true }] as const
    const userIds = new Set(names.userIds.map(canonicalUserId))
    const users = [...userIds].map((userId) => markOf(this.#users, userId))
    this.#entries.set(key, { identity, exp, users, jti: markOf(this.#jtis, names.jti) })
  }

  /** Drops what a change names. */
  apply(change: Change): void {
    if (change.kind === 'token') return
    this.#epoch += 1
    switch (change.kind) {
      case 'user':
        this.#users.forget(canonicalUserId(change.userId))
        return
      case 'jwt':
        this.#jtis.forget(change.jti)
        return
      case 'keys':
      case 'all':
        this.#entries.clear()
        this.#users.clear()
        this.#jtis.clear()
    }
  }
}
