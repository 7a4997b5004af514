import { describe, expect, it } from 'vitest'
import type { UserId } from '../identity.js'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { UserRecord, UserSource } from '../stores/store.js'
import { fixedClock } from '../testing/fixed-clock.js'
import { signJws } from './jws.js'
import { requireJwts } from './jwt-service.js'
import { signingKey } from './signing-key.js'

const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
const UUID = '9f0c7a3e-0d4b-4c1e-9a57-3f1f2b6c8d10'

/** The id of the record, and a claim by which the source finds it. */
const SPELLINGS: ReadonlyArray<readonly [id: UserId, claim: UserId]> = [
  [42, 42],
  [42, '42'],
  ['42', 42],
  ['42', '42'],
  [42, '042'],
  ['42', '+42'],
  ['Vitor@example.com', 'vitor@EXAMPLE.com'],
  [UUID, UUID.toUpperCase()],
  [UUID.toUpperCase(), UUID],
]

function start(id: UserId) {
  const clock = fixedClock()
  const record: UserRecord = {
    id,
    username: 'vitor',
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
    passwordHash: '!',
    passwordVersion: 0,
  }
  let row = record
  const isIt = (given: UserId) =>
    String(given).toLowerCase() === String(id).toLowerCase() || Number(given) === Number(id)
  const users: UserSource = {
    findById: async (given) => (isIt(given) ? row : null),
    findByUsername: async () => row,
  }
  const store = memoryStore({ externalUsers: true })
  const node = (rotates: boolean, cacheEntries = 100) =>
    createLatchkey({
      store,
      users,
      clock,
      cacheEntries,
      secret: 'a secret of at least thirty-two characters',
      jwt: { signingKey: key, rotateRefresh: rotates, blacklistAfterRotation: rotates },
    })
  const block = () => {
    row = { ...record, isActive: false }
  }
  const signed = (type: 'access' | 'refresh', claim: UserId) =>
    signJws(
      {
        token_type: type,
        user_id: claim,
        iat: clock.nowMs() / 1000,
        exp: clock.nowMs() / 1000 + 1000,
        jti: `${type} of ${typeof claim} ${claim}`,
      },
      key,
    )
  return { clock, record, store, node, signed, block }
}

describe('revoking a user', () => {
  for (const [id, claim] of SPELLINGS) {
    const name = `${JSON.stringify(id)} by the record, where tokens say ${JSON.stringify(claim)}`
    for (const rotates of [false, true]) {
      it(`ends ${name}${rotates ? ', with rotation' : ''}`, async () => {
        const { clock, record, node, signed } = start(id)
        const nodes = [node(rotates), node(rotates, 0)].map(({ jwts }) => requireJwts(jwts))
        const [first] = nodes
        const access = signed('access', claim)
        // One that the store does not know, and a successor that it does.
        const tokens = [signed('refresh', claim)]
        if (rotates) tokens.push((await first?.refresh(tokens[0] ?? ''))?.refresh ?? '')
        const refresh = tokens.at(-1) ?? ''
        for (const jwts of nodes) {
          expect((await jwts.authenticate(access, ['access'])).user?.username).toBe('vitor')
          await jwts.verify(refresh)
        }
        clock.advance(1)
        await first?.revokeUser(record)
        const refused = { code: 'authentication_failed' }
        for (const jwts of nodes) {
          await expect(Promise.resolve(jwts.authenticate(access, ['access']))).rejects.toMatchObject(refused)
          for (const token of [access, refresh])
            await expect(jwts.verify(token)).rejects.toMatchObject(refused)
          await expect(jwts.refresh(refresh)).rejects.toMatchObject(refused)
        }
        clock.advance(1)
        for (const jwts of nodes) {
          const { access: later } = await jwts.issuePair(record)
          expect((await jwts.authenticate(later, ['access'])).user?.id).toBe(id)
        }
      })
    }

    it(`ends ${name}, by that spelling, too`, async () => {
      const { clock, record, node } = start(id)
      const jwts = requireJwts(node(false).jwts)
      const { access, refresh } = await jwts.issuePair(record)
      await jwts.authenticate(access, ['access'])
      clock.advance(1)
      await jwts.revokeUser(claim)
      await expect(Promise.resolve(jwts.authenticate(access, ['access']))).rejects.toMatchObject({
        code: 'authentication_failed',
      })
      await expect(jwts.refresh(refresh)).rejects.toMatchObject({ code: 'authentication_failed' })
    })

    it(`ends opaque tokens of ${name}, and hears of changes by either`, async () => {
      const { record, node, block } = start(id)
      const latchkey = node(false)
      const { secret } = await latchkey.tokens.issue({ user: record })
      expect((await latchkey.tokens.verify(secret.reveal())).user.username).toBe('vitor')
      expect(await latchkey.tokens.revokeAll({ user: claim })).toBe(1)
      const issued = await latchkey.tokens.issue({ user: record })
      const { access } = await requireJwts(latchkey.jwts).issuePair(record)
      await latchkey.tokens.verify(issued.secret.reveal())
      await latchkey.jwts?.authenticate(access, ['access'])
      block()
      await latchkey.userChanged(claim)
      const refused = { code: 'authentication_failed' }
      await expect(Promise.resolve(latchkey.tokens.verify(issued.secret.reveal()))).rejects.toMatchObject(
        refused,
      )
      await expect(Promise.resolve(latchkey.jwts?.authenticate(access, ['access']))).rejects.toMatchObject(
        refused,
      )
    })
  }

  it('keeps users apart whose ids only look alike', async () => {
    const { clock, store, node, signed } = start('abc')
    const jwts = requireJwts(node(false).jwts)
    const access = signed('access', 'abc')
    clock.advance(1)
    for (const other of ['abcd', '0', 'ab', 'abc '])
      await store.jwts.revokeUser(other, new Date(clock.nowMs()))
    expect((await jwts.authenticate(access, ['access'])).user?.id).toBe('abc')
  })

  it('ends stateless tokens whose claim is the other spelling of a number', async () => {
    const { clock, node, signed } = start(42)
    const jwts = requireJwts(node(false).jwts)
    const token = signed('access', '42')
    await jwts.authenticate(token, ['access'], 'claimed')
    clock.advance(1)
    await jwts.revokeUser(42)
    await expect(Promise.resolve(jwts.authenticate(token, ['access'], 'claimed'))).rejects.toMatchObject({
      code: 'authentication_failed',
    })
  })
})
