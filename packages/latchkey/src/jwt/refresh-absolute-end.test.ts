import { describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { signJws } from './jws.js'
import type { JwtOptions } from './jwt-options.js'
import { requireJwts } from './jwt-service.js'
import { signingKey } from './signing-key.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
const DAY = 86_400
const EXPIRED = { code: 'authentication_failed', publicMessage: 'Token is invalid or expired' }

async function start(options: Partial<JwtOptions> = {}) {
  const clock = fixedClock()
  const latchkey = createLatchkey({
    store: memoryStore(),
    clock,
    secret: 'a secret of at least thirty-two characters',
    jwt: { signingKey: key, rotateRefresh: true, refreshTtlSeconds: 7 * DAY, ...options },
  })
  const jwts = requireJwts(latchkey.jwts)
  const user = await latchkey.users.create({ username: 'vitor' })
  const { refresh } = await jwts.issuePair(user)
  /** Rotates every few days, for so many days; the last refresh token. */
  const rotateFor = async (days: number, presented = refresh) => {
    let token = presented
    for (let day = 0; day < days; day += 5) {
      clock.advance(5 * DAY)
      await jwts.deleteExpired()
      token = (await jwts.refresh(token)).refresh ?? ''
    }
    return token
  }
  const expiresIn = async (token: string) => Number((await jwts.verify(token)).exp) - clock.nowMs() / 1000
  return { clock, jwts, user, refresh, rotateFor, expiresIn }
}

describe('a family of rotating refresh tokens', () => {
  for (const blacklistAfterRotation of [false, true]) {
    it(`ends 90 days after its login${blacklistAfterRotation ? ', with the blacklist' : ''}`, async () => {
      const { clock, jwts, rotateFor, expiresIn } = await start({ blacklistAfterRotation })
      const last = await rotateFor(85)
      expect(await expiresIn(last)).toBe(5 * DAY)
      clock.advance(5 * DAY - 1)
      const { access, refresh = '' } = await jwts.refresh(last)
      for (const token of [access, refresh]) expect(await expiresIn(token)).toBe(1)
      clock.advance(1)
      await expect(jwts.refresh(refresh)).rejects.toMatchObject(EXPIRED)
    })
  }

  it('never ends where that is switched off, and then as late as refreshTtlSeconds by default', async () => {
    const endless = await start({ refreshAbsoluteTtlSeconds: null })
    expect(await endless.expiresIn(await endless.rotateFor(200))).toBe(7 * DAY)
    const long = await start({ refreshTtlSeconds: 365 * DAY })
    expect(await long.expiresIn(long.refresh)).toBe(365 * DAY)
    const short = await start({ refreshAbsoluteTtlSeconds: 2 * DAY })
    expect(await short.expiresIn(short.refresh)).toBe(2 * DAY)
  })

  it('ends for tokens that the store does not know: by auth_time, or by iat', async () => {
    const { clock, jwts, user } = await start()
    const now = clock.nowMs() / 1000
    const foreign = (claims: object) =>
      signJws(
        { token_type: 'refresh', user_id: user.id, jti: JSON.stringify(claims), exp: now + DAY, ...claims },
        key,
      )
    for (const claims of [
      { iat: now - 90 * DAY },
      { iat: now - DAY, auth_time: now - 90 * DAY },
      { iat: now - 90 * DAY, auth_time: now + DAY },
      { iat: now - 90 * DAY, auth_time: 'long ago' },
    ]) {
      await expect(jwts.refresh(foreign(claims)), JSON.stringify(claims)).rejects.toMatchObject(EXPIRED)
    }
    for (const claims of [{ iat: now - 89 * DAY }, { iat: now, auth_time: now - 89 * DAY }, {}]) {
      await expect(jwts.refresh(foreign(claims)), JSON.stringify(claims)).resolves.toHaveProperty('access')
    }
  })

  it('says nothing new on the wire', async () => {
    const { jwts, rotateFor } = await start()
    const claims = await jwts.verify(await rotateFor(10))
    expect(Object.keys(claims).sort()).toEqual(['exp', 'iat', 'jti', 'token_type', 'user_id'])
  })

  it('names the option that cannot work', async () => {
    for (const refreshAbsoluteTtlSeconds of [0, -1, Number.NaN]) {
      await expect(start({ refreshAbsoluteTtlSeconds })).rejects.toThrow('jwt.refreshAbsoluteTtlSeconds')
    }
  })
})
