import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { hashShare, workerCount } from './share.js'

describe('what a worker gets of the machine', () => {
  it('is one worker for each processor with `auto`', () => {
    expect(workerCount('auto')).toBe(availableParallelism())
    expect(workerCount(3)).toBe(3)
  })

  it.each([
    [1, 8, 3],
    [2, 8, 3],
    [2, 5, 2],
    [4, 8, 1],
    [8, 8, 1],
    [16, 8, 1],
    [1, 1, 1],
    [1, 2, 1],
  ])('%i workers on %i processors hash %i passwords each', (workers, processors, each) => {
    expect(hashShare(workers, processors, 4)).toBe(each)
  })

  it('keeps a processor free among all workers, wherever there is one for each', () => {
    for (let processors = 2; processors <= 64; processors += 1)
      for (let workers = 1; workers < processors; workers += 1)
        expect(workers * hashShare(workers, processors, 4)).toBeLessThan(processors)
  })

  it('leaves one of libuv’s threads to host names and files', () => {
    expect(hashShare(1, 64, 4)).toBe(3)
    expect(hashShare(2, 64, 16)).toBe(15)
  })
})
