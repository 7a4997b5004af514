/** The arithmetic of `--against`: ratios of pairs, the interval of their median, and the verdict. */
import { median } from './numbers.mjs'

/** The share of all repetitions in which the interval has to contain the true median. */
const CONFIDENCE = 0.95

/** Unit of a series -> its value as time per operation, up to a factor that a ratio cancels. */
const TIME_PER_OPERATION = {
  µs: (value) => value,
  ms: (value) => value,
  'req/s': (value) => 1 / value,
  'per s': (value) => 1 / value,
}

/**
 * The median and a distribution-free interval for it: the order statistics number k and n + 1 - k, with the largest k
 * whose interval misses the true median with a probability of at most 5 % (the number of values below the median is
 * binomial with p = 1/2).
 * @param {readonly number[]} values 6 or more
 * @returns {{ middle: number, low: number, high: number, coverage: number }}
 */
export function medianInterval(values) {
  const sorted = Float64Array.from(values).sort()
  const count = sorted.length
  let below = 0.5 ** count
  let term = below
  let rank = 0
  let missed = 0
  while (2 * below <= 1 - CONFIDENCE) {
    missed = 2 * below
    rank += 1
    term = (term * (count - rank + 1)) / rank
    below += term
  }
  if (rank === 0) throw new RangeError(`${count} values are too few for an interval`)
  return { middle: median(sorted), low: sorted[rank - 1], high: sorted[count - rank], coverage: 1 - missed }
}

/**
 * @typedef {object} Figure one measured figure of a row in both versions
 * @property {string} name
 * @property {string} unit
 * @property {number} oldMedian
 * @property {number} newMedian
 * @property {{ middle: number, low: number, high: number, coverage: number }} ratio time per operation, new / old
 * @property {boolean} ok false: the whole interval lies above what the row allows
 */

/**
 * @param {import('./row.mjs').Row} row
 * @param {ReadonlyArray<{ old: import('./row.mjs').Measured, new: import('./row.mjs').Measured }>} pairs
 * @returns {Figure[]}
 * @throws RangeError when a figure is missing in one of the processes, or is not a positive number
 */
export function compareRow({ name: row, unit: rowUnit, comparison }, pairs) {
  const names = pairs[0].new.series
    .map(({ name }) => name)
    .filter((name) => comparison.series.some((start) => name.startsWith(start)))
  if (names.length === 0) throw new RangeError(`${row}: has no series ${comparison.series.join(', ')}`)
  return names.map((name) => {
    const figureOf = (measured) => {
      const series = measured.series.find((one) => one.name === name)
      const value = series === undefined ? Number.NaN : median(series.rounds)
      if (!Number.isFinite(value) || value <= 0) throw new RangeError(`${row}: ${name} was not measured`)
      return { value, unit: series.unit ?? rowUnit }
    }
    const values = pairs.map((pair) => ({ old: figureOf(pair.old), new: figureOf(pair.new) }))
    const { unit } = values[0].new
    const time = TIME_PER_OPERATION[unit]
    if (time === undefined)
      throw new RangeError(`${row}: ${name} is in ${unit}, which is no time and no rate`)
    const ratio = medianInterval(values.map((pair) => time(pair.new.value) / time(pair.old.value)))
    return {
      name,
      unit,
      oldMedian: median(values.map((pair) => pair.old.value)),
      newMedian: median(values.map((pair) => pair.new.value)),
      ratio,
      ok: ratio.low <= comparison.atMost,
    }
  })
}
