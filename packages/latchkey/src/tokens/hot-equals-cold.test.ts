/** What memory says of a token is what the store says of it: one service that remembers beside one that does not. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { personalTokens } from '../endpoints/personal-tokens.js'
import { isLatchkeyError } from '../errors.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { AUTHTOKEN, type TokenPolicy } from './token-policy.js'

const CALLERS = [null, { clientAddress: '192.0.2.1' }, { clientAddress: '198.51.100.1' }]
const ANY_POLICY = new Set(['authtoken', 'renewed', 'personal'])
const ACCEPTED = [ANY_POLICY, new Set(['authtoken', 'renewed']), new Set(['personal'])]
const USERS = 3

const RENEWED: TokenPolicy = {
  ...AUTHTOKEN,
  name: 'renewed',
  prefix: 'rn_',
  hexDigits: 64,
  onePerUser: false,
  shownAgain: false,
  ttlSeconds: 30,
  renewal: { minIntervalSeconds: 2, maxTtlSeconds: null },
}

/** What is there to act upon. */
interface World {
  readonly clock: ReturnType<typeof fixedClock>
  readonly latchkey: Latchkey
  readonly users: readonly User[]
  /** Ids and secrets of all tokens there ever were. */
  readonly ids: number[]
  readonly secrets: string[]
}

type Step = (world: World, pick: number) => unknown

/** What makes a token another one, or nothing at all; weights are how often it stands here. */
const STEPS: readonly Step[] = [
  ({ clock }) => clock.advance(1),
  ({ clock }) => clock.advance(1),
  ({ clock }) => clock.advance(11),
  ({ clock }) => clock.set(clock.nowMs() - 5000),
  (world, pick) => issue(world, pick, 'renewed'),
  (world, pick) => issue(world, pick, 'renewed', { allowedAddresses: ['192.0.2.0/24'] }),
  (world, pick) => issue(world, pick, 'personal', { scopes: ['read', 'write'] }),
  (world, pick) => issue(world, pick, 'personal', { allowedAddresses: ['192.0.2.0/24'], ttlSeconds: 20 }),
  ({ latchkey, ids }, pick) => latchkey.tokens.revoke(one(ids, pick)),
  ({ latchkey, users }, pick) => latchkey.tokens.revokeAll({ user: one(users, pick) }),
  ({ latchkey, users }, pick) => latchkey.users.deactivate(one(users, pick)),
  ({ latchkey, users }, pick) => latchkey.users.activate(one(users, pick)),
  ({ latchkey, users }, pick) => latchkey.users.update(one(users, pick), { email: `${pick}@example.com` }),
  ({ latchkey, users }, pick) => latchkey.userChanged(one(users, pick).id),
  ({ latchkey, ids }, pick) => latchkey.tokens.update(one(ids, pick), { name: `name ${pick}` }),
  ({ latchkey, ids }, pick) => latchkey.tokens.update(one(ids, pick), { scopes: ['read'] }),
  async ({ latchkey, ids, secrets }, pick) => {
    const { secret } = await latchkey.tokens.rotate(one(ids, pick), { overlapSeconds: 7 })
    secrets.push(secret.reveal())
  },
  ({ latchkey, ids }, pick) => latchkey.tokens.finishRotation(one(ids, pick)),
  ({ latchkey }) => latchkey.tokens.deleteExpired(),
]

async function issue({ latchkey, users, ids, secrets }: World, pick: number, policy: string, options = {}) {
  const { token, secret } = await latchkey.tokens.issue({ user: one(users, pick), policy, ...options })
  ids.push(token.id)
  secrets.push(secret.reveal())
}

function one<Value>(values: readonly Value[], pick: number): Value {
  const value = values[pick % values.length]
  if (value === undefined) throw new Error('nothing to pick from')
  return value
}

async function answerOf(latchkey: Latchkey, secret: string, pick: number): Promise<unknown> {
  try {
    const accepted = one(ACCEPTED, pick)
    const caller = one(CALLERS, pick >> 2)
    return await (pick % 5 < 2
      ? latchkey.tokens.verify(secret, accepted, caller)
      : latchkey.tokens.verifyBehind(`Token ${secret}`, 'Token '.length, accepted, caller))
  } catch (error) {
    if (!isLatchkeyError(error)) throw error
    return error.publicMessage
  }
}

describe('a token in memory', () => {
  it.each([1, 3, 1000])('is what it is in the store, with a cache of %i', async (cacheEntries) => {
    const moves = fc.array(
      fc.record({
        step: fc.nat(STEPS.length - 1),
        pick: fc.nat(1000),
        uses: fc.array(fc.nat(1000), { maxLength: 12 }),
      }),
      { minLength: 20, maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(moves, async (walk) => {
        const clock = fixedClock(Date.UTC(2030, 0, 1))
        const store = memoryStore()
        const policies = [RENEWED, personalTokens().policy]
        const options = { store, secret: 'a secret of at least thirty-two characters', clock, policies }
        const latchkey = createLatchkey({ ...options, cacheEntries })
        const forgetful = createLatchkey({ ...options, cacheEntries: 0 })
        const users = await Promise.all(
          Array.from({ length: USERS }, (_, index) => latchkey.users.create({ username: `user${index}` })),
        )
        const world = { clock, latchkey, users, ids: [], secrets: [] }
        for (const [index] of users.entries()) await issue(world, index, 'authtoken')
        for (const { step, pick, uses } of walk) {
          await Promise.resolve(one(STEPS, step)(world, pick)).catch((error: unknown) => {
            if (!isLatchkeyError(error)) throw error
          })
          for (const use of uses) {
            const secret = one<string>(world.secrets, use)
            // Often enough to be among the recent secrets.
            for (let time = 0; time < 9; time += 1) await answerOf(latchkey, secret, use)
            expect(await answerOf(latchkey, secret, use)).toEqual(await answerOf(forgetful, secret, use))
          }
        }
      }),
      { numRuns: 60 },
    )
  })
})
