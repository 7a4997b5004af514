/** Traffic in which the token of rank `r` comes with a share of `1 / r ** exponent`: a few all the time, most hardly ever. */

/**
 * Ranks from 0, by the inverse of the distribution taken as continuous; the same sequence on every run. Ranks are spread
 * over the table, so that tokens that are used much do not lie side by side.
 * @param {{ seed: number, tokens: number, exponent: number }} options
 * @returns {() => number} a token's number
 */
export function zipfPicks({ seed, tokens, exponent }) {
  const share = seededShares(seed)
  const rankOf =
    exponent === 1
      ? (u) => tokens ** u
      : (u) => (1 + u * (tokens ** (1 - exponent) - 1)) ** (1 / (1 - exponent))
  // A prime that is far from the size: ranks become numbers, each once.
  return () => (Math.min(tokens - 1, Math.floor(rankOf(share())) - 1) * SPREAD) % tokens
}

const SPREAD = 1_000_003

/** From 0 to 1, with 32 bits (Marsaglia's xorshift32). */
function seededShares(seed) {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
