import { describe, expect, it } from 'vitest'
import { Generations } from './generations.js'
import { type Mark, Marks } from './marks.js'

function withMarks(maxEntries: number) {
  const marks = new Marks<number>()
  const entries = new Generations<{ readonly name: number; readonly mark: Mark }>(maxEntries, {
    isCurrent: ({ mark }) => mark.current,
    onKept: ({ name, mark }) => marks.keep(name, mark),
    onTurn: () => marks.turn(),
  })
  return { marks, entries }
}

describe('Generations', () => {
  it('lets marks go although entries are deleted as fast as they come', () => {
    const { marks, entries } = withMarks(100)
    for (let name = 0; name < 1000; name += 1) {
      entries.set(`key${name}`, { name, mark: { current: true } })
      entries.delete(`key${name}`)
    }
    const held = Array.from({ length: 1000 }, (_, name) => name).filter((name) => marks.find(name))
    expect(held.length).toBeLessThanOrEqual(200)
    expect(entries.size).toBe(0)
  })

  it('has a mark for every entry that can be got, however they move', () => {
    const { marks, entries } = withMarks(7)
    for (let step = 0; step < 5000; step += 1) {
      const name = (step * 7919) % 31
      const entry = entries.get(`key${name}`)
      if (entry === undefined)
        entries.set(`key${name}`, { name, mark: marks.find(name) ?? { current: true } })
      else expect(marks.find(name)).toBe(entry.mark)
      if (step % 5 === 0) {
        marks.forget(step % 31)
        expect(entries.get(`key${step % 31}`)).toBeUndefined()
      }
      expect(entries.size).toBeLessThanOrEqual(14)
    }
  })
})
