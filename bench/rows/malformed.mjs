/** Personal tokens that were mistyped, cut or made up: how they are refused against the cheapest ways to know better. */
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { sqlite } from '@latchkey/sql'
import { createLatchkey, isLatchkeyError, isWellFormed, personalTokens } from 'latchkey'
import { median, seededPicks } from '../lib/numbers.mjs'
import { calls, takeTurns } from '../lib/timing.mjs'
import { SERVER_SECRET } from '../lib/tokens-database.mjs'

const CALLS_PER_BATCH = 1000
const SECRETS = 1000
const CHECKSUM_CHARACTERS = 6

/** Kind -> what somebody makes of a good secret. All of it must be refused. */
const FAULTS = {
  'one character changed': (secret, pick) => {
    const at = 'lk_pat_'.length + pick(secret.length - 'lk_pat_'.length)
    return secret.slice(0, at) + (secret[at] === 'x' ? 'y' : 'x') + secret.slice(at + 1)
  },
  'the last character changed': (secret) => secret.slice(0, -1) + (secret.endsWith('x') ? 'y' : 'x'),
  'a character missing': (secret) => secret.slice(0, 'lk_pat_'.length) + secret.slice('lk_pat_'.length + 1),
  'another kind': (secret) => secret.replace('_pat_', '_svc_'),
  'a character that is not ASCII': (secret) => `${secret.slice(0, -1)}é`,
}

/** @type {import('../lib/row.mjs').Row} */
export const malformed = {
  name: 'malformed',
  title: 'refuse a malformed personal token, in process, by its checksum alone, SQLite behind',
  unit: 'µs',
  limit: 'zlib.crc32 of the same text',
  goals: [
    { of: 'perSecond', says: 'refused per second, of the kind that takes longest', unit: '', atLeast: 1e6 },
    { of: 'accepted', says: 'malformed ones let through', unit: '', atMost: 0 },
    { of: 'statements', says: 'SQL statements of all calls together', unit: '', atMost: 0 },
  ],
  async run({ rounds, folder }) {
    const { latchkey, store, format, secrets } = await issued(folder)
    const picked = seededPicks(3, 2 ** 30)
    const kinds = Object.entries(FAULTS).map(([name, fault]) => ({
      name,
      texts: secrets.map((secret) => flat(fault(secret, (below) => picked() % below))),
    }))
    const all = kinds.flatMap(({ texts }) => texts)
    const accepted = all.filter((text) => isWellFormed(text, format) || !isRefused(latchkey, text)).length
    const refused = secrets.filter((secret) => !isWellFormed(secret, format)).length
    if (refused > 0) throw new Error(`${refused} good secrets were refused: this measures nothing`)
    const before = store.statementCount

    const pick = seededPicks(4, SECRETS)
    const contender = (name, texts, call) => ({
      name,
      turn: calls(CALLS_PER_BATCH, () => texts[pick()], call),
    })
    const series = await takeTurns({
      rounds,
      batchesPerTurn: 300,
      contenders: [
        ...kinds.map(({ name, texts }) =>
          contender(`tokens.verify: ${name}`, texts, (text) => isRefused(latchkey, text)),
        ),
        ...kinds.map(({ name, texts }) =>
          contender(`isWellFormed: ${name}`, texts, (text) => isWellFormed(text, format)),
        ),
        contender('limit: zlib.crc32 of all but the checksum', secrets, (secret) =>
          crc32(secret.slice(0, -CHECKSUM_CHARACTERS)),
        ),
        contender('SHA-256, with which a look-up would begin', secrets, (secret) =>
          hash('sha256', secret, 'base64'),
        ),
      ],
    })
    const statements = store.statementCount - before
    await latchkey.close()
    const slowestUs = (ofKinds) => Math.max(...ofKinds.map((one) => median(one.rounds)))
    return {
      series,
      values: {
        perSecond: 1e6 / slowestUs(series.slice(0, kinds.length)),
        wellFormedPerSecond: 1e6 / slowestUs(series.slice(kinds.length, 2 * kinds.length)),
        accepted,
        statements,
      },
    }
  },
}

/** What a guard has of a refusal: it was thrown, and caught. A promise is a look at the store. */
function isRefused({ tokens }, text) {
  try {
    Promise.resolve(tokens.verify(text)).catch(() => undefined)
    return false
  } catch (error) {
    return isLatchkeyError(error, 'authentication_failed')
  }
}

/** Real secrets, the format that they follow, and who issued them. */
async function issued(folder) {
  const { policy } = personalTokens()
  const store = sqlite(join(folder, 'malformed.sqlite3'))
  await store.migrate()
  const latchkey = createLatchkey({ store, secret: SERVER_SECRET, policies: [policy] })
  const user = await latchkey.users.create({ username: 'vitor' })
  const secrets = []
  while (secrets.length < SECRETS) {
    const { secret } = await latchkey.tokens.issue({ user, policy: policy.name })
    secrets.push(flat(secret.reveal()))
  }
  return { latchkey, store, format: policy.format, secrets }
}

/** As texts come out of a header: in one piece, not joined from several. */
function flat(text) {
  return Buffer.from(text, 'latin1').toString('latin1')
}
