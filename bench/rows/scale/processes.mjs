/** What more processes bring: 1, 2 and 4 that verify the same traffic on one database at the same time. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { nextMessage } from '../../lib/child.mjs'
import { pairedRatio } from '../../lib/numbers.mjs'
import { fillPostgres, fillSqlite } from '../../lib/scale-databases.mjs'

const COUNTS = [1, 2, 4]
const SECONDS = 2
const PROCESS = fileURLToPath(new URL('./verifying-process.mjs', import.meta.url))

/** @type {import('../../lib/row.mjs').Row} */
export const processes = {
  name: 'scale-processes',
  group: 'scale',
  title: 'verifications of 1, 2 and 4 processes on one database of 10^6 tokens, Zipf traffic, default cache',
  unit: 'per s',
  limit: 'none: as many times one process as there are cores',
  goals: [],
  async run({ rounds, folder, tokens }) {
    const size = Math.min(tokens, 1_000_000)
    const databases = [await fillSqlite(folder, size), await fillPostgres(size)].filter((one) => one !== null)
    const series = databases.flatMap(({ engine }) =>
      COUNTS.map((count) => ({ name: `${engine}, ${count} of them`, rounds: [] })),
    )
    try {
      for (let round = 0; round < Math.min(rounds, 5); round += 1) {
        for (const [at, { place }] of databases.entries()) {
          for (const [index, count] of COUNTS.entries()) {
            series[at * COUNTS.length + index].rounds.push(await together(count, { place, tokens: size }))
          }
        }
      }
    } finally {
      for (const { drop } of databases) await drop()
    }
    const values = {}
    for (const [at, { engine }] of databases.entries()) {
      const [one, two, four] = series.slice(at * COUNTS.length)
      values[`two times one, ${engine}`] = pairedRatio(two.rounds, one.rounds)
      values[`four times one, ${engine}`] = pairedRatio(four.rounds, one.rounds)
    }
    return { series, values }
  },
}

/** They warm up, then begin together. */
async function together(count, task) {
  const children = Array.from({ length: count }, (_, index) =>
    fork(PROCESS, [JSON.stringify({ ...task, seed: index + 1, seconds: SECONDS })]),
  )
  const messages = () => Promise.all(children.map(nextMessage))
  await messages()
  const answers = messages()
  for (const child of children) child.send('go')
  const rates = (await answers).map(({ rate }) => rate)
  return rates.reduce((sum, rate) => sum + rate, 0)
}
