/**
 * What a refresh or sliding token is renewed to: rotation, its one winner, and reuse that ends a family. A part of the
 * JWT service, which signs the claims that come from here.
 */
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import type { Store } from '../stores/store.js'
import type { CompleteJwtOptions } from './jwt-options.js'
import { type JwtClaims, type JwtPayloads, newJti } from './jwt-payloads.js'
import { refused } from './jwt-refusals.js'
import type { JwtVerifier } from './jwt-verifier.js'
import { noteIssued } from './note-issued.js'

export interface JwtRefresherOptions {
  readonly options: CompleteJwtOptions
  readonly payloads: JwtPayloads
  readonly verifier: JwtVerifier
  readonly store: Store
  readonly clock: Clock
  readonly emit: EmitEvent
}

/** Claims of what a refresh gives. */
export interface RefreshedClaims {
  readonly access: JwtClaims
  /** null: without rotation. */
  readonly refresh: JwtClaims | null
}

export class JwtRefresher {
  readonly #context: JwtRefresherOptions

  constructor(context: JwtRefresherOptions) {
    this.#context = context
  }

  /** See `JwtService.refresh`. */
  async refresh(token: string, address: string | null): Promise<RefreshedClaims> {
    const { options, payloads, verifier, store, clock } = this.#context
    const sinceMs = clock.nowMs()
    // An exchanged token is judged by `rotate`: within the grace it is as good as its successor.
    const mayHaveEnded = options.blacklistAfterRotation
    const { claims, notBefore } = await verifier.verifyType(token, 'refresh', { mayHaveEnded })
    await verifier.requireUser(claims)
    const access = payloads.accessFrom(claims)
    const refresh = options.rotateRefresh ? await this.#rotate(claims, address) : null
    if (refresh !== null && !options.blacklistAfterRotation) {
      if (!(await noteIssued(this.#context, { payload: refresh, sinceMs }))) throw refused('blacklisted')
    }
    const records = payloads.accessRecords(access, notBefore)
    if (records.length > 0) await store.jwts.insert(records)
    return { access, refresh }
  }

  /** See `JwtService.refreshSliding`. */
  async refreshSliding(token: string): Promise<JwtClaims> {
    const { options, payloads, verifier, clock } = this.#context
    const { claims } = await verifier.verifyType(token, 'sliding')
    verifier.requireRefreshable(claims)
    await verifier.requireUser(claims)
    return payloads.renewed(claims, {}, new Date(clock.nowMs()), options.slidingTtlSeconds)
  }

  /** The successor of a refresh token; with `blacklistAfterRotation` the one that counts, and the token has ended. */
  async #rotate(presented: JwtClaims, address: string | null): Promise<JwtClaims> {
    const { options, payloads, store, clock, emit } = this.#context
    const now = new Date(clock.nowMs())
    const successor = this.#successorOf(presented, newJti(), now)
    if (!options.blacklistAfterRotation) return successor
    const record = payloads.recordOf(presented)
    const { family: _, ...successorRecord } = payloads.recordOf(successor)
    const outcome = await store.jwts.rotate({
      presented: record,
      successor: successorRecord,
      now,
      graceSeconds: options.refreshGraceSeconds,
    })
    if (outcome.kind === 'rotated') return successor
    if (outcome.kind === 'repeated') {
      return this.#successorOf(presented, outcome.successorJti, outcome.issuedAt)
    }
    if (outcome.kind === 'reused') {
      const family = (await store.jwts.find(record.jti))?.family ?? record.family
      emit({ kind: 'refresh_reused', userId: record.userId, family, address })
    }
    throw refused('blacklisted')
  }

  #successorOf(presented: JwtClaims, jti: string, issuedAt: Date): JwtClaims {
    const { jtiClaim, refreshTtlSeconds } = this.#context.options
    return this.#context.payloads.renewed(presented, { [jtiClaim]: jti }, issuedAt, refreshTtlSeconds)
  }
}
