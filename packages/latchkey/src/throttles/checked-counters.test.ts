import { describe, expect, it } from 'vitest'
import type { CounterStore } from '../stores/store.js'
import { checkedCounters } from './checked-counters.js'

const LIMIT = { maxCount: 1, periodSeconds: 60 }

/** Counters of an app that answers everything with this. */
function answering(answer: unknown): CounterStore {
  const method = () => Promise.resolve(answer as never)
  return checkedCounters({ hit: method, peek: method, merge: method, undo: method, clear: method })
}

describe('checkedCounters', () => {
  it('passes on what is an answer', async () => {
    const answer = { allowed: false, waitSeconds: 1.5 }
    expect(await answering(answer).hit('a', LIMIT, 0)).toBe(answer)
    expect(await answering([[{ atMs: 1, count: 2 }], []]).merge([], 0)).toHaveLength(2)
  })

  it.each([
    [undefined],
    [{}],
    [true],
    [{ allowed: 'yes', waitSeconds: 0 }],
    [{ allowed: true }],
    [{ allowed: true, waitSeconds: Number.NaN }],
    [{ allowed: false, waitSeconds: -1 }],
    [{ allowed: Promise.resolve(true), waitSeconds: 0 }],
  ])('refuses %j, by the name of the method', async (answer) => {
    await expect(answering(answer).hit('a', LIMIT, 0)).rejects.toThrow(/^counters\.hit\(\): must return/)
    await expect(answering(answer).peek('a', LIMIT, 0)).rejects.toThrow(/^counters\.peek\(\): must return/)
  })

  it.each([[undefined], [{}], [[undefined]], [[[{ atMs: 1 }]]], [[[{ atMs: '1', count: 1 }]]]])(
    'refuses %j as the answer to merge',
    async (answer) => {
      await expect(answering(answer).merge([], 0)).rejects.toThrow(/^counters\.merge\(\): must return/)
    },
  )
})
