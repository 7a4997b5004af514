/** Medians and quantiles: a mean would let one pause of the machine decide. */

/** @param {ArrayLike<number>} values */
export function median(values) {
  return quantile(values, 0.5)
}

/**
 * The smallest value that at least this share of the values does not exceed; for an even count the median is the mean
 * of the two in the middle.
 * @param {ArrayLike<number>} values at least one
 * @param {number} share 0 to 1
 */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) throw new RangeError('no values')
  const middle = sorted.length / 2
  if (share === 0.5 && Number.isInteger(middle)) return (sorted[middle - 1] + sorted[middle]) / 2
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
}

/**
 * The median of the ratios of each round: what slows the machine down for a while slows both halves of a round, and
 * leaves their ratio alone.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 */
export function pairedRatio(ours, theirs) {
  return median(ours.map((value, round) => value / theirs[round]))
}

/** Numbers from 0 to `below - 1`, the same sequence on every run (Marsaglia's xorshift32). */
export function seededPicks(seed, below) {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
