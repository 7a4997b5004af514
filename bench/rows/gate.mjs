/** What a guard does for a hot token once an adapter has translated the request: header, verify, permission. */
import { isAuthenticated } from 'latchkey'
import { expectHot, hotTokens } from '../lib/hot-tokens.mjs'
import { median, pairedRatio } from '../lib/numbers.mjs'
import { calls, takeTurns } from '../lib/timing.mjs'

const CALLS_PER_BATCH = 100

/** @type {import('../lib/row.mjs').Row} */
export const gate = {
  name: 'gate',
  title: 'the guard of a route: read the header, verify a hot token, ask isAuthenticated',
  unit: 'µs',
  limit: 'latchkey.tokens.verify of the same secret',
  comparison: { series: ['the gate'], atMost: 1.02 },
  goals: [],
  async run({ rounds, folder }) {
    const { latchkey, store, secrets, nextSecret } = await hotTokens(folder)
    const guard = latchkey.gate([isAuthenticated])
    const requests = new Map(secrets.map((secret) => [secret, requestWith(`Token ${secret}`)]))
    const admit = (request) => {
      const { refusal } = expectHot(guard(request))
      if (refusal !== null) throw new Error(`refused with ${refusal.status}`)
    }
    const before = store.statementCount
    const series = await takeTurns({
      rounds,
      batchesPerTurn: 3000,
      contenders: [
        { name: 'the gate', turn: calls(CALLS_PER_BATCH, () => requests.get(nextSecret()), admit) },
        {
          name: 'limit: latchkey.tokens.verify',
          turn: calls(CALLS_PER_BATCH, nextSecret, (secret) => expectHot(latchkey.tokens.verify(secret))),
        },
      ],
    })
    const statements = store.statementCount - before
    await latchkey.close()
    const [ours, limit] = series
    return {
      series,
      values: {
        medianUs: median(ours.rounds),
        statements,
        timesVerify: pairedRatio(ours.rounds, limit.rounds),
      },
    }
  },
}

function requestWith(authorization) {
  return {
    method: 'GET',
    path: '/hello/',
    query: '',
    secure: false,
    remoteAddress: '127.0.0.1',
    header: (name) => (name === 'authorization' ? authorization : undefined),
    body: () => Promise.resolve(new Uint8Array()),
  }
}
