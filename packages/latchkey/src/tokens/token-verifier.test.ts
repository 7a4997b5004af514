import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { LatchkeyError } from '../errors.js'
import type { LatchkeyEvent } from '../events.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { AUTHTOKEN, renewAfterMs, renewedExpiryMs, type TokenPolicy } from './token-policy.js'

const SECRET = 'a secret of at least thirty-two characters'
const invalid = { code: 'authentication_failed', publicMessage: 'Invalid token.' }

const FLEETING: TokenPolicy = {
  ...AUTHTOKEN,
  name: 'fleeting',
  prefix: 'fl_',
  hexDigits: 64,
  onePerUser: false,
  shownAgain: false,
  ttlSeconds: 100,
}
const RENEWED: TokenPolicy = {
  ...FLEETING,
  name: 'renewed',
  renewal: { minIntervalSeconds: 10, maxTtlSeconds: null },
}
const CAPPED: TokenPolicy = {
  ...FLEETING,
  name: 'capped',
  renewal: { minIntervalSeconds: 10, maxTtlSeconds: 150 },
}
const ENDLESS: TokenPolicy = { ...RENEWED, name: 'endless', ttlSeconds: null }

describe('token policies', () => {
  const START_MS = Date.UTC(2030, 0, 1, 12)
  const clock = fixedClock(START_MS)
  let store: Store
  let events: LatchkeyEvent[]
  let latchkey: Latchkey
  let user: User

  const build = (more: Partial<TokenPolicy> = {}) =>
    createLatchkey({
      store,
      secret: SECRET,
      clock,
      policies: [
        FLEETING,
        RENEWED,
        CAPPED,
        ENDLESS,
        { ...FLEETING, name: 'limited', limitPerUser: 10, ...more },
      ],
      onEvent: (event) => events.push(event),
    })

  beforeEach(async () => {
    clock.set(START_MS)
    store = memoryStore()
    events = []
    latchkey = build()
    user = await latchkey.users.create({ username: 'vitor' })
  })

  const issue = async (policy: string, ttlSeconds?: number | null) => {
    const { token, secret } = await latchkey.tokens.issue({
      user,
      policy,
      ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
    })
    return { id: token.id, text: secret.reveal() }
  }
  const expiryOf = async (id: number) => {
    const expiresAt = (await latchkey.tokens.get(id))?.expiresAt
    return expiresAt ? (expiresAt.getTime() - START_MS) / 1000 : expiresAt
  }
  const outcome = async (text: string, by = latchkey) => {
    try {
      return (await by.tokens.verify(text)).user.username
    } catch (error) {
      return error
    }
  }

  describe('renewal', () => {
    it('moves the expiry to now and a lifetime, and not before that adds more than the interval', async () => {
      const { id, text } = await issue('renewed')
      clock.advance(10)
      await outcome(text)
      expect(latchkey.tokens.verify(text)).not.toBeInstanceOf(Promise)
      expect(await expiryOf(id)).toBe(100)
      clock.advance(0.001)
      const { auth } = await latchkey.tokens.verify(text)
      expect(await expiryOf(id)).toBe(110.001)
      expect(auth.expiresAt).toEqual(new Date(START_MS + 110_001))
      expect(latchkey.tokens.verify(text)).not.toBeInstanceOf(Promise)
    })

    it('keeps a token in use alive for ever, and lets an unused one die', async () => {
      const used = await issue('renewed')
      const unused = await issue('renewed')
      for (let round = 0; round < 20; round += 1) {
        clock.advance(90)
        expect(await outcome(used.text)).toBe('vitor')
      }
      expect(await outcome(unused.text)).toMatchObject(invalid)
      clock.advance(100)
      expect(await outcome(used.text)).toMatchObject(invalid)
    })

    it('never goes beyond the longest lifetime', async () => {
      const { id, text } = await issue('capped')
      clock.advance(60)
      expect(await outcome(text)).toBe('vitor')
      expect(await expiryOf(id)).toBe(150)
      clock.advance(89.999)
      expect(await outcome(text)).toBe('vitor')
      expect(latchkey.tokens.verify(text)).not.toBeInstanceOf(Promise)
      clock.advance(0.001)
      expect(await outcome(text)).toMatchObject(invalid)
    })

    it('gives no expiry to a token without one, and none where the policy has no lifetime', async () => {
      const forever = await issue('renewed', null)
      const short = await issue('endless', 100)
      clock.advance(50)
      for (const { text } of [forever, short]) expect(await outcome(text)).toBe('vitor')
      expect(await expiryOf(forever.id)).toBeNull()
      expect(await expiryOf(short.id)).toBe(100)
    })

    it('is not for those who are refused: an inactive user, a view that takes other policies', async () => {
      const { id, text } = await issue('renewed')
      clock.advance(50)
      await expect(
        (async () => latchkey.tokens.verify(text, new Set(['authtoken'])))(),
      ).rejects.toMatchObject(invalid)
      await latchkey.users.deactivate(user)
      expect(await outcome(text)).toMatchObject({ publicMessage: 'User inactive or deleted.' })
      expect(await expiryOf(id)).toBe(100)
    })

    it('is written once when two processes and 100 requests use the token at the same time', async () => {
      const { id, text } = await issue('renewed')
      const other = build()
      await Promise.all([outcome(text), outcome(text, other)])
      clock.advance(50)
      const renew = store.tokens.renew
      const written: boolean[] = []
      store.tokens.renew = async (...args) => {
        const won = await renew.apply(store.tokens, args)
        written.push(won)
        return won
      }
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, (_, index) => outcome(text, index % 2 === 0 ? latchkey : other)),
      )
      expect(new Set(outcomes)).toEqual(new Set(['vitor']))
      expect(written.filter(Boolean)).toHaveLength(1)
      expect(await expiryOf(id)).toBe(150)
    })

    it('refuses a token that was revoked while it was being renewed, before or after the write', async () => {
      const renew = store.tokens.renew
      for (const moment of ['before', 'after']) {
        const { id, text } = await issue('renewed')
        await outcome(text)
        clock.advance(50)
        store.tokens.renew = async (...args) => {
          if (moment === 'before') await latchkey.tokens.revoke(id)
          const won = await renew.apply(store.tokens, args)
          if (moment === 'after') await latchkey.tokens.revoke(id)
          return won
        }
        expect(await outcome(text), moment).toMatchObject(invalid)
        expect(await latchkey.tokens.get(id), moment).toBeNull()
      }
    })

    it('never fails and never revives beside a logout', async () => {
      for (let round = 0; round < 20; round += 1) {
        const { id, text } = await issue('renewed')
        clock.advance(50)
        const calls = Array.from({ length: 10 }, () => outcome(text))
        calls.splice(round % 10, 0, latchkey.tokens.revoke(id).then(String))
        for (const result of await Promise.all(calls))
          if (typeof result !== 'string') expect(result).toMatchObject(invalid)
        expect(await outcome(text)).toMatchObject(invalid)
        expect(await latchkey.tokens.get(id)).toBeNull()
      }
    })

    it('lets trouble in the store through, and never answers for a store that cannot', async () => {
      const { text } = await issue('renewed')
      await outcome(text)
      clock.advance(50)
      store.tokens.renew = () => Promise.reject(new LatchkeyError('store_unavailable'))
      expect(await outcome(text)).toMatchObject({ code: 'store_unavailable' })
    })

    it('is due exactly when it would move the expiry, later, by more than the interval and to the cap at most', () => {
      const seconds = fc.integer({ min: 0, max: 1000 })
      fc.assert(
        fc.property(
          fc.record({ ttl: seconds, min: seconds, max: fc.option(fc.integer({ min: 1, max: 1000 })) }),
          fc.record({ life: seconds, nowMs: fc.integer({ min: 0, max: 1_000_000 }) }),
          ({ ttl, min, max }, { life, nowMs }) => {
            const renewal = { minIntervalSeconds: min, maxTtlSeconds: max }
            const policy = { ...FLEETING, ttlSeconds: ttl, renewal }
            const token = { createdAt: new Date(0), expiresAt: new Date(life * 1000) }
            const renewedMs = renewedExpiryMs(policy, token, nowMs)
            expect(renewedMs !== null).toBe(nowMs > renewAfterMs(policy, token))
            if (renewedMs === null) return
            expect(renewedMs).toBeGreaterThan(life * 1000 + min * 1000)
            expect(renewedMs).toBe(Math.min(nowMs + ttl * 1000, (max ?? Number.POSITIVE_INFINITY) * 1000))
          },
        ),
      )
    })
  })

  describe('expiry', () => {
    const expired = (hint: string, policy = 'fleeting') => ({
      kind: 'token_expired',
      userId: user.id,
      policy,
      hint,
    })

    it('removes the token when it is presented, and tells it once, cold, hot or recent', async () => {
      for (const uses of [0, 1, 20]) {
        events = []
        const { id, text } = await issue('fleeting')
        for (let use = 0; use < uses; use += 1) await outcome(text)
        clock.advance(100)
        const outcomes = await Promise.all(Array.from({ length: 20 }, () => outcome(text)))
        for (const result of outcomes) expect(result).toMatchObject(invalid)
        expect(await latchkey.tokens.get(id)).toBeNull()
        expect(events).toEqual([expired(`fl_…${text.slice(-4)}`)])
      }
    })

    it('refuses as always when the store cannot remove it now, and removes it the next time', async () => {
      const { id, text } = await issue('fleeting')
      clock.advance(100)
      const deleteExpired = store.tokens.deleteExpired
      store.tokens.deleteExpired = () => Promise.reject(new LatchkeyError('store_unavailable'))
      expect(await outcome(text)).toMatchObject(invalid)
      await latchkey.tokens.flushUses()
      store.tokens.deleteExpired = deleteExpired
      expect(await latchkey.tokens.get(id)).not.toBeNull()
      expect(await outcome(text)).toMatchObject(invalid)
      expect(await latchkey.tokens.get(id)).toBeNull()
    })

    it('spares a token that another process renewed while it was being removed', async () => {
      const { id, text } = await issue('fleeting')
      clock.advance(100)
      const deleteExpired = store.tokens.deleteExpired
      store.tokens.deleteExpired = async (...args) => {
        await store.tokens.renew(id, new Date(START_MS + 100_000), new Date(START_MS + 200_000))
        return deleteExpired.apply(store.tokens, args)
      }
      expect(await outcome(text)).toMatchObject(invalid)
      await latchkey.tokens.flushUses()
      expect(await outcome(text)).toBe('vitor')
      expect(events).toEqual([])
    })

    it('refuses it as it refuses an unknown one: the removal comes after the answer, and `close` waits for it', async () => {
      const { text } = await issue('fleeting')
      clock.advance(100)
      const deleteExpired = store.tokens.deleteExpired
      const calls: unknown[] = []
      let finish: () => void = () => undefined
      const isFinished = new Promise<void>((resolve) => {
        finish = resolve
      })
      store.tokens.deleteExpired = async (...args) => {
        calls.push(args)
        await isFinished
        return deleteExpired.apply(store.tokens, args)
      }
      for (const _ of [1, 2, 3]) {
        expect(await outcome(text)).toMatchObject(invalid)
        expect(calls).toEqual([])
      }
      const closed = latchkey.close()
      expect(events).toEqual([])
      finish()
      await closed
      expect(calls).toHaveLength(1)
      expect(events).toMatchObject([{ kind: 'token_expired' }])
    })

    it('is born with a lifetime of zero or less', async () => {
      for (const ttlSeconds of [0, -3600]) {
        expect(await outcome((await issue('fleeting', ttlSeconds)).text)).toMatchObject(invalid)
      }
    })

    it('deleteExpired removes all that are over, in batches, and tells each', async () => {
      for (let number = 0; number < 1203; number += 1) await issue('fleeting', number % 3 === 0 ? 500 : 5)
      const { token } = await latchkey.tokens.issue({ user })
      clock.advance(100)
      expect(await latchkey.tokens.deleteExpired()).toBe(802)
      expect(events).toHaveLength(802)
      expect(await latchkey.tokens.list({ policy: 'fleeting' })).toHaveLength(401)
      expect(await latchkey.tokens.get(token.id)).not.toBeNull()
      expect(await latchkey.tokens.deleteExpired()).toBe(0)
    })
  })

  describe('limit per user', () => {
    const full = {
      code: 'token_limit_reached',
      publicMessage: 'Maximum amount of tokens allowed per user exceeded.',
    }

    it('lets 100 parallel logins in two services have exactly 10 tokens', async () => {
      const other = build()
      const outcomes = await Promise.allSettled(
        Array.from({ length: 100 }, (_, index) =>
          (index % 2 === 0 ? latchkey : other).tokens.issue({ user, policy: 'limited' }),
        ),
      )
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
      for (const one of outcomes) if (one.status === 'rejected') expect(one.reason).toMatchObject(full)
      expect(await latchkey.tokens.list({ policy: 'limited' })).toHaveLength(10)
    })

    it('counts neither expired tokens nor those that never expire, and not those of other policies', async () => {
      for (let number = 0; number < 10; number += 1) await issue('limited', number % 2 === 0 ? null : 5)
      await issue('fleeting')
      clock.advance(5)
      for (let number = 0; number < 10; number += 1) await issue('limited')
      await expect(issue('limited')).rejects.toMatchObject(full)
      const other = await latchkey.users.create({ username: 'other' })
      await latchkey.tokens.issue({ user: other, policy: 'limited' })
    })

    it('keeps nobody from taking over tokens that exist', async () => {
      for (let number = 0; number < 10; number += 1) await issue('limited')
      await latchkey.tokens.import({ user, policy: 'limited', secret: 'of-another-system', ttlSeconds: 50 })
      expect(await outcome('of-another-system')).toBe('vitor')
    })
  })

  it('keeps of a secret that is shown once its digest, its prefix and its last four characters', async () => {
    const { id, text } = await issue('fleeting')
    expect(text).toMatch(/^fl_[0-9a-f]{64}$/)
    const record = await store.tokens.findById(id)
    expect(record).toMatchObject({ hint: `fl_…${text.slice(-4)}`, sealed: null, name: '' })
    expect(record?.digest).toHaveLength(32)
    await expect(latchkey.tokens.reveal(id)).rejects.toThrow(TypeError)
  })

  it('shows no prefix in the hint of a token that has none', async () => {
    const { token } = await latchkey.tokens.import({ user, policy: 'fleeting', secret: 'from-before-0123' })
    expect(token.hint).toBe('…0123')
    expect(await outcome('from-before-0123')).toBe('vitor')
  })

  it('says token_exists for a policy of one per user, whether or not it shows its token again', async () => {
    latchkey = build({ onePerUser: true, limitPerUser: null })
    await issue('limited')
    await expect(issue('limited')).rejects.toMatchObject({ code: 'token_exists' })
    await expect(latchkey.tokens.getOrCreate({ user, policy: 'limited' })).rejects.toThrow(/^policy:/)
  })

  it('refuses a policy that cannot work, by policy and field', () => {
    const wrong: ReadonlyArray<readonly [Partial<TokenPolicy>, RegExp]> = [
      [{ name: 'Not a word' }, /^policies\.Not a word\.name: must/],
      [{ name: 'authtoken' }, /^policies: 'authtoken' is there twice/],
      [{ name: 'renewed' }, /^policies: 'renewed' is there twice/],
      [{ prefix: 'a b' }, /^policies\.limited\.prefix: must/],
      [{ prefix: 'ü' }, /^policies\.limited\.prefix: must/],
      [{ hexDigits: 63 }, /^policies\.limited\.hexDigits: must/],
      [{ hexDigits: 30 }, /^policies\.limited\.hexDigits: must/],
      [{ hexDigits: Number.NaN }, /^policies\.limited\.hexDigits: must/],
      [{ ttlSeconds: Number.POSITIVE_INFINITY }, /^policies\.limited\.ttlSeconds: must/],
      [{ limitPerUser: 0 }, /^policies\.limited\.limitPerUser: must/],
      [{ limitPerUser: 1.5 }, /^policies\.limited\.limitPerUser: must/],
      [
        { renewal: { minIntervalSeconds: -1, maxTtlSeconds: null } },
        /^policies\.limited\.renewal\.minIntervalSeconds: must/,
      ],
      [
        { renewal: { minIntervalSeconds: 0, maxTtlSeconds: 0 } },
        /^policies\.limited\.renewal\.maxTtlSeconds: must/,
      ],
    ]
    for (const [fields, message] of wrong) {
      expect(() => build(fields)).toThrow(TypeError)
      expect(() => build(fields)).toThrow(message)
    }
    expect(AUTHTOKEN).toMatchObject({ hexDigits: 40, ttlSeconds: null, limitPerUser: null, renewal: null })
  })
})
