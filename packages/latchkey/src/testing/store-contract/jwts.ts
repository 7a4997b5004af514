/** The store contract: JWT records. */
import assert from 'node:assert/strict'
import type { NewJwtRecord } from '../../stores/store.js'
import { at, type Promised, same } from './support.js'

const record = (jti: string, fields: Partial<NewJwtRecord> = {}): NewJwtRecord => ({
  jti,
  family: jti,
  userId: 1,
  issuedAt: at(0),
  expiresAt: at(100_000),
  ...fields,
})
const rotation = (presented: string, successor: string, offsetMs = 0, graceSeconds = 10) => ({
  presented: record(presented),
  successor: { jti: successor, userId: 1, issuedAt: at(offsetMs), expiresAt: at(offsetMs + 100_000) },
  now: at(offsetMs),
  graceSeconds,
})

export function jwtsContract(promised: Promised): void {
  promised('an issued token is found whole and live; what is known is left as it is', async (store) => {
    await store.jwts.insert([record('a'), record('b', { family: 'a', userId: 'text' })])
    await store.jwts.insert([record('a', { userId: 9, expiresAt: at(1) })])
    same(await store.jwts.find('a'), { ...record('a'), endedAt: null, successorJti: null })
    same((await store.jwts.find('b'))?.userId, 'text')
    same(await store.jwts.find('c'), null)
    same(await store.jwts.state('a', 1), { known: 'live', notBefore: null })
    same(await store.jwts.state('c', 1), { known: null, notBefore: null })
  })

  promised('a token that is noted again is kept until the later of both expiries', async (store) => {
    await store.jwts.insert([record('a'), record('b')])
    await store.jwts.revoke(record('a'), at(5))
    const later = at(900_000)
    await store.jwts.insert([record('a', { expiresAt: later }), record('b', { expiresAt: later })])
    same(await store.jwts.find('a'), {
      ...record('a', { expiresAt: later }),
      endedAt: at(5),
      successorJti: null,
    })
    same(await store.jwts.revoke(record('b', { expiresAt: at(1) }), at(6)), true)
    same((await store.jwts.find('b'))?.expiresAt, later)
    same(await store.jwts.deleteExpired(at(899_999)), 0)
  })

  promised('42 and "42" are one user to revoke, to list and to ask about', async (store) => {
    for (const [revoked, claimed] of [
      [42, '42'],
      ['43', 43],
    ] as const) {
      const known = record(`known ${claimed}`, { userId: claimed })
      await store.jwts.insert([known])
      same(
        (await store.jwts.list({ userId: revoked })).map(({ jti }) => jti),
        [known.jti],
      )
      await store.jwts.revokeUser(revoked, at(7))
      same(await store.jwts.state(known.jti, claimed), { known: 'ended', notBefore: at(7) })
      same(await store.jwts.state('unknown', claimed), { known: null, notBefore: at(7) })
      const { successor } = rotation('unknown', 'next', 8)
      const foreign = { ...rotation('unknown', 'next', 8), successor: { ...successor, userId: claimed } }
      const presented = record('unknown', { userId: claimed })
      same(await store.jwts.rotate({ ...foreign, presented }), { kind: 'ended' })
      await store.jwts.revokeUser(claimed, at(9))
      for (const id of [revoked, claimed]) same((await store.jwts.state('x', id)).notBefore, at(9))
    }
    await store.jwts.revokeUser('042', at(1))
    same((await store.jwts.state('x', 42)).notBefore, at(9))
  })

  promised('the start of a family goes from successor to successor', async (store) => {
    await store.jwts.insert([record('a', { issuedAt: at(-50) })])
    await store.jwts.insert([record('x', { issuedAt: at(-10), familyStartedAt: at(-70) })])
    same((await store.jwts.rotate(rotation('a', 'b', 1))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('b', 'c', 2))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('x', 'y', 3))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('foreign', 'z', 4))).kind, 'rotated')
    for (const jti of ['a', 'b', 'c']) same(await store.jwts.familyStart(jti), at(-50))
    for (const jti of ['x', 'y']) same(await store.jwts.familyStart(jti), at(-70))
    for (const jti of ['foreign', 'z']) same(await store.jwts.familyStart(jti), at(0))
    same(await store.jwts.familyStart('unknown'), null)
  })

  promised('list is ordered by jti, takes a user, starts after afterJti and ends at limit', async (store) => {
    const mine = ['9', 'a', 'b', 'c'].map((jti) => record(jti))
    await store.jwts.insert([...mine].reverse())
    await store.jwts.insert([record('bb', { userId: 'text' })])
    const listed = async (...asked: Parameters<typeof store.jwts.list>) =>
      (await store.jwts.list(...asked)).map(({ jti }) => jti)
    same(await listed({}), ['9', 'a', 'b', 'bb', 'c'])
    same(await listed({ userId: 1 }), ['9', 'a', 'b', 'c'])
    same(await listed({ userId: 1 }, { afterJti: 'a', limit: 1 }), ['b'])
    same(await listed({ userId: 'text' }), ['bb'])
    same(await listed({ userId: 2 }), [])
    same(await store.jwts.list({}, { limit: 1 }), [{ ...record('9'), endedAt: null, successorJti: null }])
  })

  promised('revoke ends a token once, known or not', async (store) => {
    await store.jwts.insert([record('a')])
    for (const jti of ['a', 'unknown']) {
      same(await store.jwts.revoke(record(jti), at(5)), true)
      same(await store.jwts.revoke(record(jti), at(6)), false)
      same((await store.jwts.find(jti))?.endedAt, at(5))
      same((await store.jwts.state(jti, 1)).known, 'ended')
    }
    same((await store.jwts.rotate(rotation('a', 'b'))).kind, 'ended')
    same(await store.jwts.find('b'), null)
  })

  promised('of 50 concurrent rotations one wins, and the others get its successor', async (store) => {
    await store.jwts.insert([record('a')])
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, number) => store.jwts.rotate(rotation('a', `next${number}`, 1))),
    )
    const winner = outcomes.findIndex(({ kind }) => kind === 'rotated')
    for (const [number, outcome] of outcomes.entries()) {
      const repeated = { kind: 'repeated', successorJti: `next${winner}`, issuedAt: at(1) }
      same(outcome, number === winner ? { kind: 'rotated' } : repeated)
    }
    same((await store.jwts.find(`next${winner}`))?.family, 'a')
    same(await store.jwts.state('a', 1), { known: 'ended', notBefore: null })
  })

  promised('reuse after the grace ends the whole family, and nobody else', async (store) => {
    await store.jwts.insert([record('a'), record('other')])
    same((await store.jwts.rotate(rotation('a', 'b', 0))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('b', 'c', 1))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('a', 'x', 9_999))).kind, 'repeated')
    same((await store.jwts.state('c', 1)).known, 'live')
    same((await store.jwts.rotate(rotation('a', 'x', 10_000))).kind, 'reused')
    for (const jti of ['a', 'b', 'c']) same((await store.jwts.state(jti, 1)).known, 'ended')
    same((await store.jwts.state('other', 1)).known, 'live')
    same((await store.jwts.rotate(rotation('c', 'd', 10_001))).kind, 'ended')
    same(await store.jwts.find('x'), null)
  })

  promised('within the grace nothing is given out again that was revoked since', async (store) => {
    const revocations: ReadonlyArray<(jti: string, userId: number) => Promise<unknown>> = [
      (jti, userId) => store.jwts.revoke(record(`${jti}-next`, { userId }), at(2)),
      (_, userId) => store.jwts.revokeUser(userId, at(2)),
      (_, userId) => store.jwts.revokeUser(userId, at(1)),
      (jti) => store.jwts.rotate(rotation(jti, 'x', 2, 0)),
    ]
    for (const [userId, revoke] of revocations.entries()) {
      const jti = `login${userId}`
      await store.jwts.insert([record(jti, { userId })])
      const repeated = { ...rotation(jti, 'x', 3), presented: record(jti, { userId }) }
      const { successor } = rotation(jti, `${jti}-next`, 1)
      await store.jwts.rotate({ ...repeated, successor: { ...successor, userId }, now: at(1) })
      same((await store.jwts.rotate(repeated)).kind, 'repeated')
      await revoke(jti, userId)
      same(await store.jwts.rotate(repeated), { kind: 'ended' })
    }
    same(await store.jwts.find('x'), null)
  })

  promised('the grace goes on for a login from after everything of the user was revoked', async (store) => {
    await store.jwts.revokeUser(1, at(1))
    await store.jwts.insert([record('a')])
    same((await store.jwts.rotate(rotation('a', 'b', 1))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('a', 'x', 2))).kind, 'repeated')
  })

  promised('a token that nobody noted has ended once everything of its user was revoked', async (store) => {
    await store.jwts.revokeUser(1, at(0))
    same(await store.jwts.rotate(rotation('foreign', 'b', 1)), { kind: 'ended' })
    for (const jti of ['foreign', 'b']) same(await store.jwts.find(jti), null)
    const later = { ...rotation('later', 'c', 2), presented: record('later', { issuedAt: at(1) }) }
    same((await store.jwts.rotate(later)).kind, 'rotated')
  })

  promised('without a grace the second caller is a thief', async (store) => {
    await store.jwts.insert([record('a')])
    same((await store.jwts.rotate(rotation('a', 'b', 0, 0))).kind, 'rotated')
    same((await store.jwts.rotate(rotation('a', 'c', 0, 0))).kind, 'reused')
    same((await store.jwts.state('b', 1)).known, 'ended')
  })

  promised('a token that nobody noted starts a family when it is rotated', async (store) => {
    same((await store.jwts.rotate(rotation('foreign', 'b'))).kind, 'rotated')
    same((await store.jwts.find('b'))?.family, 'foreign')
  })

  promised('revokeUser ends what is known of the user and says since when tokens count', async (store) => {
    await store.jwts.insert([record('a'), record('b', { userId: 2 })])
    await store.jwts.revokeUser(1, at(7))
    same(await store.jwts.state('a', 1), { known: 'ended', notBefore: at(7) })
    same(await store.jwts.state('unknown', 1), { known: null, notBefore: at(7) })
    same(await store.jwts.state('b', 2), { known: 'live', notBefore: null })
    await store.jwts.revokeUser(1, at(8))
    same((await store.jwts.state('a', 1)).notBefore, at(8))
    // By a node whose clock is behind.
    await store.jwts.revokeUser(1, at(6))
    same((await store.jwts.state('a', 1)).notBefore, at(8))
  })

  promised('whatever ends is published', async (store) => {
    const published: unknown[] = []
    store.changes.subscribe((change) => published.push(change))
    await store.jwts.insert([record('a')])
    same(published, [])
    await store.jwts.rotate(rotation('a', 'b', 0))
    await store.jwts.revoke(record('b'), at(1))
    await store.jwts.revokeUser(1, at(2))
    assert.ok(['a', 'b'].every((jti) => published.some((change) => isEnd(change, jti))))
    same(published.at(-1), { kind: 'user', userId: 1 })
  })

  promised('deleteExpired removes what means nothing any more', async (store) => {
    await store.jwts.insert([record('a', { expiresAt: at(1) }), record('b', { expiresAt: at(3) })])
    same(await store.jwts.deleteExpired(at(2)), 1)
    same(await store.jwts.find('a'), null)
    same((await store.jwts.find('b'))?.jti, 'b')
  })
}

function isEnd(change: unknown, jti: string): boolean {
  return JSON.stringify(change) === JSON.stringify({ kind: 'jwt', jti })
}
