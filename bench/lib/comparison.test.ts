/** What `--against` concludes from pairs of processes, and which command lines it refuses. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readArguments } from './arguments.mjs'
import { compareRow, medianInterval } from './comparison.mjs'
import { seededPicks } from './numbers.mjs'
import { describeCheckout, resolveCommit } from './old-version.mjs'

const HOT = {
  name: 'hot',
  title: 'in process',
  unit: 'µs',
  limit: '',
  goals: [],
  comparison: { series: ['ours'], atMost: 1.02 },
  run: () => Promise.reject(new Error('is not run here')),
}
const HTTP = { ...HOT, name: 'http', unit: 'req/s', comparison: { series: ['ours'], atMost: 1.1 } }
const { comparison: _, ...OTHER } = { ...HOT, name: 'other' }

/** 15 pairs whose old value is 100, with these new values, over and over. */
function pairsOf(values: readonly number[], unit?: string) {
  const measured = (value: number) => ({
    series: [
      { name: 'ours', rounds: [value], ...(unit === undefined ? {} : { unit }) },
      { name: 'limit: another', rounds: [1] },
    ],
    values: {},
  })
  return Array.from({ length: 15 }, (_, index) => ({
    old: measured(100),
    new: measured(values[index % values.length]!),
  }))
}

describe('the interval of a median', () => {
  it('is that of the tables of the sign test', () => {
    // n -> rank of the lower end: Conover, Practical Nonparametric Statistics, table A3 (p = 0.5, two-sided 5 %).
    for (const [count, rank] of [
      [6, 1],
      [9, 2],
      [15, 4],
      [20, 6],
      [30, 10],
    ] as const) {
      const values = Array.from({ length: count }, (_, index) => index + 1)
      expect(medianInterval(values)).toMatchObject({ low: rank, high: count + 1 - rank })
    }
    expect(medianInterval(Array.from({ length: 15 }, (_, index) => index)).coverage).toBeCloseTo(0.9648, 4)
  })

  it('contains the true median in at least 95 % of repetitions, whatever the distribution', () => {
    const pick = seededPicks(7, 1_000_000)
    const skewed = () => -Math.log((pick() + 1) / 1_000_001)
    let hits = 0
    for (let repetition = 0; repetition < 4000; repetition += 1) {
      const { low, high } = medianInterval(Array.from({ length: 15 }, skewed))
      if (low <= Math.LN2 && Math.LN2 <= high) hits += 1
    }
    expect(hits / 4000).toBeGreaterThan(0.955)
    expect(hits / 4000).toBeLessThan(0.975)
  })

  it('does not exist for fewer than 6 values', () => {
    expect(() => medianInterval([1, 2, 3, 4, 5])).toThrow('5 values are too few')
  })
})

describe('a comparison', () => {
  it('fails a row in process only when the whole interval lies above 1.02', () => {
    const verdict = (values: number[]) => compareRow(HOT, pairsOf(values)).map(({ ok }) => ok)
    expect(verdict([100, 101, 99])).toEqual([true])
    expect(verdict([103])).toEqual([false])
    expect(verdict([103, 103, 101])).toEqual([true])
    expect(verdict([90])).toEqual([true])
  })

  it('takes rates as time per operation: a lower rate is slower', () => {
    const [slower] = compareRow(HTTP, pairsOf([90]))
    expect(slower).toMatchObject({ ok: false, oldMedian: 100, newMedian: 90 })
    expect(slower!.ratio.middle).toBeCloseTo(100 / 90)
    expect(compareRow(HTTP, pairsOf([92]))).toMatchObject([{ ok: true }])
  })

  it('refuses what it cannot compare instead of passing it', () => {
    expect(() => compareRow(HOT, pairsOf([Number.NaN]))).toThrow('hot: ours was not measured')
    expect(() => compareRow(HOT, pairsOf([1], 'MB'))).toThrow('no time and no rate')
    const renamed = { ...HOT, comparison: { series: ['theirs'], atMost: 1 } }
    expect(() => compareRow(renamed, pairsOf([1]))).toThrow('has no series theirs')
  })
})

describe('the command line', () => {
  const read = (...argv: string[]) => readArguments(argv, [HOT, HTTP, OTHER])

  it('compares several rows in one call, 15 pairs by default', () => {
    expect(read('hot', 'h*', '--against', 'HEAD')).toMatchObject({
      task: 'compare',
      rows: [HOT, HTTP],
      against: 'HEAD',
      pairs: 15,
    })
    expect(read('hot', '--against=HEAD', '--pairs', '40').pairs).toBe(40)
  })

  it.each([
    [['nothing', '--against', 'HEAD'], 'there is no row nothing'],
    [['--against', 'HEAD'], 'name the rows: hot, http'],
    [['other', '--against', 'HEAD'], 'other cannot be compared; these can: hot, http'],
    [['hot', '--against', 'HEAD', '--pairs', '14'], '--pairs: must be a whole number, 15 or more'],
    [['hot', '--against', 'HEAD', '--pairs', '1e9x'], '--pairs: must be a whole number'],
    [['hot', '--pairs', '20'], '--pairs: only with --against'],
    [['hot', '--against', 'HEAD', '--no-build'], 'builds both versions'],
    [['hot', '--against', 'HEAD', '--rounds', '5'], '--rounds: a comparison has one round per process'],
    [['hot', '--against', ''], 'names no commit'],
    [['hot', '--against'], 'against'],
    [['hot', '--agianst', 'HEAD'], 'agianst'],
  ])('refuses %j', (argv, message) => {
    expect(() => read(...argv)).toThrow(message)
  })
})

describe('the versions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const git = (...words: string[]) => {
    const who = ['-c', 'user.name=test', '-c', 'user.email=test@example.com']
    return execFileSync('git', [...who, ...words], { cwd: folder, encoding: 'utf8' }).trim()
  }

  it('are commits that exist; uncommitted changes of the packages are named', () => {
    expect(() => resolveCommit(folder, 'HEAD')).toThrow('there is no commit HEAD')
    git('init', '--quiet')
    git('commit', '--quiet', '--allow-empty', '-m', 'first')
    const hash = git('rev-parse', 'HEAD')
    expect(resolveCommit(folder, hash.slice(0, 7))).toBe(hash)
    expect(() => resolveCommit(folder, 'no-such-branch')).toThrow('there is no commit no-such-branch')
    expect(() => resolveCommit(folder, '--all')).toThrow('there is no commit --all')
    expect(describeCheckout(folder)).toBe(git('rev-parse', '--short', 'HEAD'))
    execFileSync('mkdir', ['packages'], { cwd: folder })
    writeFileSync(join(folder, 'packages/new.ts'), '')
    expect(describeCheckout(folder)).toMatch(/ with uncommitted changes$/)
  })
})
