/** Turns at computing: how many, and in which order. */
import { expect, test } from 'vitest'
import { createHashTurns, inTurn } from './hash-turns.js'

test('are had by no more than there are, first come first served', async () => {
  const turns = createHashTurns(2)
  const order: string[] = []
  await turns.take()
  await turns.take()
  const third = turns.take().then(() => order.push('third'))
  const fourth = turns.take().then(() => order.push('fourth'))
  expect(turns).toMatchObject({ free: 0, waiting: 2 })
  expect(order).toEqual([])
  turns.give()
  // Given back and asked for in one go: it is the third's all the same.
  const newcomer = turns.take().then(() => order.push('newcomer'))
  turns.give()
  turns.give()
  await Promise.all([third, fourth, newcomer])
  expect(order).toEqual(['third', 'fourth', 'newcomer'])
})

test('are given back when the work failed', async () => {
  const turns = createHashTurns(1)
  await expect(inTurn(turns, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken')
  expect(await inTurn(turns, async () => turns.free)).toBe(0)
  expect(turns).toMatchObject({ free: 1, waiting: 0 })
})
