import { expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import type { JwtOptions } from './jwt-options.js'
import { requireJwts } from './jwt-service.js'
import { signingKey } from './signing-key.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })

/** A Latchkey whose store runs `meanwhile` right before the next insert of JWTs: the worst moment for a revocation. */
async function start(options: Partial<JwtOptions> = {}) {
  const inner = memoryStore()
  const clock = fixedClock()
  let meanwhile: (() => Promise<void>) | null = null
  const store: Store = {
    ...inner,
    jwts: {
      ...inner.jwts,
      async insert(records) {
        const work = meanwhile
        meanwhile = null
        await work?.()
        return inner.jwts.insert(records)
      },
    },
  }
  const latchkey = createLatchkey({
    store,
    secret: 'a secret of at least thirty-two characters',
    clock,
    jwt: { signingKey: key, ...options },
  })
  const jwts = requireJwts(latchkey.jwts)
  const user = await latchkey.users.create({ username: 'vitor' })
  const revokeMeanwhile = (calm = 0) => {
    meanwhile = async () => {
      if (calm > 0) return revokeMeanwhile(calm - 1)
      clock.advance(0.001)
      await jwts.revokeUser(user)
    }
  }
  return { latchkey, jwts, user, clock, revokeMeanwhile }
}

it('gives out nothing when everything of the user is revoked while they log in', async () => {
  const { jwts, user, revokeMeanwhile } = await start()
  for (const issue of [() => jwts.issuePair(user), () => jwts.issueSliding(user)]) {
    revokeMeanwhile()
    await expect(issue()).rejects.toMatchObject({
      code: 'authentication_failed',
      publicMessage: 'No active account found with the given credentials',
    })
    await expect(issue()).resolves.toBeDefined()
  }
})

it('gives out nothing for a password that was checked before the revocation', async () => {
  const { jwts, user, clock } = await start()
  const sinceMs = clock.nowMs()
  clock.advance(0.2)
  await jwts.revokeUser(user)
  await expect(jwts.issuePair(user, { sinceMs: clock.nowMs() })).rejects.toMatchObject({
    code: 'authentication_failed',
  })
  clock.advance(0.2)
  await expect(jwts.issuePair(user, { sinceMs })).rejects.toMatchObject({ code: 'authentication_failed' })
  await expect(jwts.issuePair(user, { sinceMs: clock.nowMs() })).resolves.toHaveProperty('access')
})

it('gives no successor that outlives a revocation in between', async () => {
  const { jwts, user, revokeMeanwhile } = await start({ rotateRefresh: true })
  const { refresh } = await jwts.issuePair(user)
  revokeMeanwhile()
  await expect(jwts.refresh(refresh)).rejects.toMatchObject({ publicMessage: 'Token is blacklisted' })
})

it('notes no access token as live that a revocation in between covers', async () => {
  for (const options of [{}, { rotateRefresh: true, blacklistAfterRotation: true }]) {
    const { jwts, user, revokeMeanwhile } = await start(options)
    await jwts.revokeUser(user)
    // In the second of a revocation access tokens are noted, too: by the second insert of a login.
    revokeMeanwhile(1)
    await expect(jwts.issuePair(user)).rejects.toMatchObject({ code: 'authentication_failed' })
    const { refresh } = await jwts.issuePair(user)
    revokeMeanwhile()
    await expect(jwts.refresh(refresh)).rejects.toMatchObject({ publicMessage: 'Token is blacklisted' })
  }
})
