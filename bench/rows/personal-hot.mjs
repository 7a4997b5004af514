/** A personal token that was seen lately, with scopes, its use counted: verify it, and ask what it may be used for. */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import { createLatchkey, hasScope, personalTokens } from 'latchkey'
import { expectHot } from '../lib/hot-tokens.mjs'
import { median, seededPicks } from '../lib/numbers.mjs'
import { calls, takeTurns } from '../lib/timing.mjs'
import { createTokensDatabase, SERVER_SECRET } from '../lib/tokens-database.mjs'

const CALLS_PER_BATCH = 100
/** Of each kind. */
const TOKENS = 5000
const USERS = 100
const SCOPES = ['orders:read', 'invoices:*', 'profile']
const CALLER = { clientAddress: '198.51.100.7' }

/** Kind -> where its tokens may be used from. The caller is in the last range. */
const KINDS = {
  'from anywhere': null,
  'from three CIDR ranges': ['10.0.0.0/8', '2001:db8::/32', '198.51.100.0/24'],
}

const COUNTED = 100_000
/** Tokens whose uses are written in one batch: at this number the library does not wait for the time. */
const USED_PER_FLUSH = 999

/** @type {import('../lib/row.mjs').Row} */
export const personalHot = {
  name: 'personal-hot',
  title: 'verify a personal token that was seen lately, count the use, ask hasScope, SQLite behind',
  unit: 'µs',
  limit: 'one SHA-256 of the secret, then Map.get',
  comparison: { series: ['from '], atMost: 1.02 },
  goals: [
    { of: 'slowestUs', says: 'median, of the kind that takes longest', unit: 'µs', atMost: 2 },
    { of: 'statements', says: 'SQL statements of 100,000 calls together', unit: '', atMost: 0 },
    { of: 'uncounted', says: 'uses of those that were not counted', unit: '', atMost: 0 },
  ],
  async run({ rounds, folder }) {
    const { policy } = personalTokens()
    const path = join(folder, 'personal.sqlite3')
    const kinds = await issueKinds(path, policy)
    const store = sqlite(path)
    const latchkey = createLatchkey({ store, secret: SERVER_SECRET, policies: [policy] })
    const accepted = new Set([policy.name])
    const mayRead = hasScope('orders:read')
    const use = (secret) => {
      const identity = expectHot(latchkey.tokens.verify(secret, accepted, CALLER))
      if (!mayRead.allows(identity)) throw new Error('the scope is not covered')
      return identity
    }
    for (const { secrets } of kinds) {
      for (const secret of secrets) await latchkey.tokens.verify(secret, accepted, CALLER)
    }
    const [anywhere] = kinds
    const records = new Map(anywhere.secrets.map((secret) => [sha256(secret), { secret }]))
    const contender = (name, { secrets, pick }, call) => ({
      name,
      turn: calls(CALLS_PER_BATCH, () => secrets[pick()], call),
    })

    const series = await takeTurns({
      rounds,
      batchesPerTurn: 2000,
      contenders: [
        ...kinds.map((kind) => contender(kind.name, kind, use)),
        contender('limit: SHA-256, then Map.get', anywhere, (secret) => records.get(sha256(secret))),
        {
          name: `writing the uses, ${USED_PER_FLUSH} tokens in one batch, per token`,
          batches: 10,
          turn: (batches) => flushes(batches, latchkey, anywhere.secrets.slice(0, USED_PER_FLUSH), use),
        },
      ],
    })
    const counted = await countedUses(latchkey, store, kinds, use)
    await latchkey.close()
    return {
      series,
      values: { slowestUs: Math.max(...series.slice(0, kinds.length).map(medianOf)), ...counted },
    }
  },
}

/** Real tokens of each kind. They are issued without waiting for the disk at each of them. */
async function issueKinds(path, policy) {
  await createTokensDatabase(path, { tokens: 0, users: USERS })
  const store = sqlite(path, { synchronous: 'normal' })
  const latchkey = createLatchkey({ store, secret: SERVER_SECRET, policies: [policy] })
  const users = await latchkey.users.list({ limit: USERS })
  const kinds = []
  for (const [name, allowedAddresses] of Object.entries(KINDS)) {
    const secrets = []
    while (secrets.length < TOKENS) {
      const user = users[secrets.length % USERS]
      const { secret } = await latchkey.tokens.issue({
        user,
        policy: policy.name,
        scopes: SCOPES,
        allowedAddresses,
      })
      // As texts come out of a header: in one piece, not joined from several.
      secrets.push(Buffer.from(secret.reveal(), 'latin1').toString('latin1'))
    }
    kinds.push({ name, secrets, pick: seededPicks(1, TOKENS) })
  }
  await latchkey.close()
  return kinds
}

async function flushes(batches, latchkey, secrets, use) {
  await latchkey.tokens.flushUses()
  for (let batch = 0; batch < batches.length; batch += 1) {
    for (const secret of secrets) use(secret)
    const startedMs = performance.now()
    await latchkey.tokens.flushUses()
    batches[batch] = ((performance.now() - startedMs) * 1000) / secrets.length
  }
}

/** Apart from the timing: what many calls in one turn of the event loop ask of the store, and leave in it. */
async function countedUses(latchkey, store, kinds, use) {
  const usesBefore = await allUses(latchkey)
  const statementsBefore = store.statementCount
  for (const { secrets } of kinds) {
    for (let index = 0; index < COUNTED / kinds.length; index += 1) use(secrets[index % secrets.length])
  }
  const statements = store.statementCount - statementsBefore
  return { statements, uncounted: COUNTED - ((await allUses(latchkey)) - usesBefore) }
}

/** Those in memory are written first. */
async function allUses(latchkey) {
  const tokens = await latchkey.tokens.list({ limit: TOKENS * Object.keys(KINDS).length })
  return tokens.reduce((sum, { use }) => sum + use.count, 0)
}

function medianOf({ rounds }) {
  return median(rounds)
}

function sha256(text) {
  return hash('sha256', text, 'base64')
}
