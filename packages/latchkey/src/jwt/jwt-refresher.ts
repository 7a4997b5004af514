/**
 * What a refresh or sliding token is renewed to: rotation, its one winner, and reuse that ends a family. A part of the
 * JWT service, which signs the claims that come from here.
 */
import type { Clock } from '../clock.js'
import type { EmitEvent } from '../events.js'
import type { NewJwtRecord, Store } from '../stores/store.js'
import type { CompleteJwtOptions } from './jwt-options.js'
import { type JwtClaims, type JwtPayloads, newJti } from './jwt-payloads.js'
import { refused } from './jwt-refusals.js'
import type { JwtVerifier } from './jwt-verifier.js'
import { noteAccess, noteIssued } from './note-issued.js'

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
    const { options, payloads, verifier } = this.#context
    // An exchanged token is judged by `rotate`: within the grace it is as good as its successor.
    const mayHaveEnded = options.blacklistAfterRotation
    const { claims, notBefore, hasEnded } = await verifier.verifyType(token, 'refresh', { mayHaveEnded })
    if (!hasEnded) await verifier.requireUser(claims)
    const access = payloads.accessFrom(claims)
    const refresh = options.rotateRefresh ? await this.#rotate(claims, address) : null
    // That it has ended, and that it was used again, is found out whoever its user is by now.
    if (hasEnded) await verifier.requireUser(claims)
    if (refresh !== null && !options.blacklistAfterRotation) {
      // Whatever was revoked until then, the token that was presented has outlived.
      const sinceMs = (notBefore?.getTime() ?? 0) + 1
      if (!(await noteIssued(this.#context, { payload: refresh, sinceMs }))) throw refused('blacklisted')
    }
    if (!(await noteAccess(this.#context, access, notBefore))) throw refused('blacklisted')
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

  /**
   * See `JwtService.blacklist`. False: the token had ended. One that was exchanged within the grace is as good as its
   * successor, which somebody else may hold: the whole family ends.
   */
  async end(token: string, address: string | null): Promise<boolean> {
    const { options, payloads, verifier, store, clock } = this.#context
    const mayHaveEnded = options.blacklistAfterRotation
    const { claims } = await verifier.verifyType(token, 'refresh', { mayHaveEnded })
    const record = payloads.recordOf(claims)
    const now = new Date(clock.nowMs())
    if (await store.jwts.revoke(record, now)) return true
    if (!options.blacklistAfterRotation) return false
    const successor = payloads.recordOf(this.#successorOf(claims, newJti(), now))
    const rotation = { presented: record, successor, now, graceSeconds: options.refreshGraceSeconds }
    const { kind } = await store.jwts.rotate(rotation)
    if (kind === 'reused') await this.#tellReuse(record, address)
    // Without a grace, a token that was exchanged takes its family with it.
    if (kind === 'repeated') await store.jwts.rotate({ ...rotation, graceSeconds: 0 })
    return kind === 'repeated'
  }

  /** The successor of a refresh token; with `blacklistAfterRotation` the one that counts, and the token has ended. */
  async #rotate(presented: JwtClaims, address: string | null): Promise<JwtClaims> {
    const { options, payloads, store, clock } = this.#context
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
    if (outcome.kind === 'reused') await this.#tellReuse(record, address)
    throw refused('blacklisted')
  }

  async #tellReuse({ jti, family: own, userId }: NewJwtRecord, address: string | null): Promise<void> {
    const { store, emit } = this.#context
    const family = (await store.jwts.find(jti))?.family ?? own
    emit({ kind: 'refresh_reused', userId, family, address })
  }

  #successorOf(presented: JwtClaims, jti: string, issuedAt: Date): JwtClaims {
    const { jtiClaim, refreshTtlSeconds } = this.#context.options
    return this.#context.payloads.renewed(presented, { [jtiClaim]: jti }, issuedAt, refreshTtlSeconds)
  }
}
