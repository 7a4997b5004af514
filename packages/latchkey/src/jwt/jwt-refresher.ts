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
import type { JwtVerifier, RenewableJwt } from './jwt-verifier.js'
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

/** Access of one user is not narrowed so often that a refresh never comes through. */
const MAX_ATTEMPTS = 3

export class JwtRefresher {
  readonly #context: JwtRefresherOptions

  constructor(context: JwtRefresherOptions) {
    this.#context = context
  }

  /**
   * See `JwtService.refresh`. Where access was narrowed while this was under way, the token is judged again, by what is
   * true then.
   */
  async refresh(token: string, address: string | null): Promise<RefreshedClaims> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const refreshed = await this.#refreshOnce(token, address)
      if (refreshed !== null) return refreshed
    }
    throw refused('blacklisted')
  }

  /** Null: access was narrowed meanwhile. */
  async #refreshOnce(token: string, address: string | null): Promise<RefreshedClaims | null> {
    const { options, payloads, verifier } = this.#context
    // An exchanged token is judged by `rotate`: within the grace it is as good as its successor.
    const mayHaveEnded = options.blacklistAfterRotation
    const presented = await verifier.verifyRenewable(token, 'refresh', { mayHaveEnded })
    const { claims, notBefore, hasEnded, basis } = presented
    const familyStart = await this.#familyStartOf(claims)
    if (payloads.hasFamilyEnded(familyStart)) throw refused('expired')
    if (!hasEnded) await verifier.requireUser(presented)
    const access = payloads.withinFamily(payloads.accessFrom(claims), familyStart)
    const refresh = options.rotateRefresh ? await this.#rotate(presented, familyStart, address) : null
    if (refresh === 'stale') return null
    // That it has ended, and that it was used again, is found out whoever its user is by now.
    if (hasEnded) await verifier.requireUser(presented)
    const userId = presented.record?.id
    if (refresh !== null && !options.blacklistAfterRotation) {
      // Whatever was revoked until then, the token that was presented has outlived.
      const sinceMs = (notBefore?.getTime() ?? 0) + 1
      if (!(await noteIssued(this.#context, { payload: refresh, sinceMs, basis, userId, familyStart })))
        return null
    }
    if (!(await noteAccess(this.#context, access, notBefore, { basis, userId }))) throw refused('blacklisted')
    // Where the presented token goes on, nothing has yet decided about it together with what was narrowed meanwhile.
    if (options.blacklistAfterRotation || (await this.#isStillGood(presented))) return { access, refresh }
    if (refresh !== null) await this.#revoke(payloads.recordOf(refresh, userId))
    return null
  }

  /** Whether what a renewal is based on is still true: the token was not revoked, and access was not narrowed. */
  async #isStillGood({ claims, record, basis }: RenewableJwt): Promise<boolean> {
    const { store, payloads } = this.#context
    if (basis === undefined) return true
    const [version, { known }] = await Promise.all([
      store.access.version(basis.userId),
      store.jwts.state(payloads.jtiOf(claims), record?.id ?? basis.userId),
    ])
    return version === basis.version && known !== 'ended'
  }

  async #revoke(record: NewJwtRecord): Promise<void> {
    const { store, clock } = this.#context
    await store.jwts.revoke(record, new Date(clock.nowMs()))
  }

  /** See `JwtService.refreshSliding`. */
  async refreshSliding(token: string): Promise<JwtClaims> {
    const { options, payloads, verifier, clock } = this.#context
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const presented = await verifier.verifyRenewable(token, 'sliding')
      const { claims } = presented
      verifier.requireRefreshable(claims)
      await verifier.requireUser(presented)
      const renewed = payloads.renewed(claims, {}, new Date(clock.nowMs()), options.slidingTtlSeconds)
      if (await this.#isStillGood(presented)) return renewed
    }
    throw refused('blacklisted')
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
  async #rotate(
    { claims, record: user, basis }: RenewableJwt,
    familyStart: Date | undefined,
    address: string | null,
  ): Promise<JwtClaims | 'stale'> {
    const { options, payloads, store, clock } = this.#context
    const now = new Date(clock.nowMs())
    const successor = this.#successorOf(claims, newJti(), now, familyStart)
    if (!options.blacklistAfterRotation) return successor
    const record = payloads.recordOf(claims, user?.id)
    const { family: _, ...successorRecord } = payloads.recordOf(successor, user?.id)
    const rotation = {
      presented: record,
      successor: successorRecord,
      now,
      graceSeconds: options.refreshGraceSeconds,
    }
    const outcome = await store.jwts.rotate(rotation, basis)
    if (outcome.kind === 'stale') return 'stale'
    if (outcome.kind === 'rotated') return successor
    if (outcome.kind === 'repeated') {
      return this.#successorOf(claims, outcome.successorJti, outcome.issuedAt, familyStart)
    }
    if (outcome.kind === 'reused') await this.#tellReuse(record, address)
    throw refused('blacklisted')
  }

  async #tellReuse({ jti, family: own, userId }: NewJwtRecord, address: string | null): Promise<void> {
    const { store, emit } = this.#context
    const family = (await store.jwts.find(jti))?.family ?? own
    emit({ kind: 'refresh_reused', userId, family, address })
  }

  #successorOf(presented: JwtClaims, jti: string, issuedAt: Date, familyStart?: Date): JwtClaims {
    const { options, payloads } = this.#context
    const { jtiClaim, refreshTtlSeconds } = options
    const renewed = payloads.renewed(presented, { [jtiClaim]: jti }, issuedAt, refreshTtlSeconds)
    return payloads.withinFamily(renewed, familyStart)
  }

  async #familyStartOf(claims: JwtClaims): Promise<Date | undefined> {
    const { options, payloads, store } = this.#context
    if (options.refreshAbsoluteTtlSeconds === null) return undefined
    return payloads.familyStartOf(claims, await store.jwts.familyStart(payloads.jtiOf(claims)))
  }
}
