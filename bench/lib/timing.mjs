/** In-process timing: contenders take turns (A B C A B C …), each turn is many batches, and a batch is one number. */
import { median, quantile } from './numbers.mjs'

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {'peer'} [of]
 * @property {(batches: Float64Array) => void | Promise<void>} turn fills the array with microseconds per call
 * @property {number} [batches] per turn, where not `batchesPerTurn`
 */

/**
 * One turn of each per round, after one that is thrown away: it compiles the code and fills the caches.
 * @param {{ rounds: number, batchesPerTurn: number, contenders: readonly Contender[] }} plan
 * @returns {Promise<import('./row.mjs').Series[]>} medians of each round; `p99` is over the batches of all rounds
 */
export async function takeTurns({ rounds, batchesPerTurn, contenders }) {
  const taken = contenders.map(({ name, of }) => ({ name, of, rounds: [], batches: [] }))
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, { turn, batches = batchesPerTurn }] of contenders.entries()) {
      const values = new Float64Array(batches)
      await turn(values)
      if (round < 0) continue
      taken[index].rounds.push(median(values))
      taken[index].batches.push(...values)
    }
  }
  return taken.map(({ name, of, rounds: medians, batches }) => ({
    name,
    of,
    rounds: medians,
    p99: quantile(batches, 0.99),
  }))
}

/** Where results go, so that no call can be compiled away. */
export const sink = { value: undefined }

/**
 * A turn of synchronous calls. `call` gets what `next` picks; picking is not timed.
 * @param {number} callsPerBatch
 * @param {() => unknown} next
 * @param {(input: any) => unknown} call
 * @returns {(batches: Float64Array) => void}
 */
export function calls(callsPerBatch, next, call) {
  const inputs = new Array(callsPerBatch)
  return (batches) => {
    for (let batch = 0; batch < batches.length; batch += 1) {
      for (let index = 0; index < callsPerBatch; index += 1) inputs[index] = next()
      let last
      const startedMs = performance.now()
      for (let index = 0; index < callsPerBatch; index += 1) last = call(inputs[index])
      batches[batch] = ((performance.now() - startedMs) * 1000) / callsPerBatch
      sink.value = last
    }
  }
}

/** As `calls`, for calls that are awaited one after the other. */
export function awaitedCalls(callsPerBatch, next, call) {
  const inputs = new Array(callsPerBatch)
  return async (batches) => {
    for (let batch = 0; batch < batches.length; batch += 1) {
      for (let index = 0; index < callsPerBatch; index += 1) inputs[index] = next()
      let last
      const startedMs = performance.now()
      for (let index = 0; index < callsPerBatch; index += 1) last = await call(inputs[index])
      batches[batch] = ((performance.now() - startedMs) * 1000) / callsPerBatch
      sink.value = last
    }
  }
}

/** One call in each turn of the event loop, every call timed alone: a batch is one call. */
export function lonelyCalls(next, call) {
  return async (batches) => {
    for (let batch = 0; batch < batches.length; batch += 1) {
      await new Promise((resolve) => setImmediate(resolve))
      const input = next()
      const startedMs = performance.now()
      sink.value = call(input)
      batches[batch] = (performance.now() - startedMs) * 1000
    }
  }
}
