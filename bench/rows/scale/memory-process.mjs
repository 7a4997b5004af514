/** A process whose heap is weighed before and after it has verified every token of a file. See `memory.mjs`. */
import { sqlite } from '@latchkey/sql'
import { createLatchkey } from 'latchkey'
import { digestOf, SERVER_SECRET, secretAt } from '../../lib/tokens-database.mjs'

const { path, entries, what } = JSON.parse(process.argv[2] ?? '{}')
const TASKS = { cache: verified, map, bounded }

/** Typed arrays and buffers lie outside of the heap and count too. */
function bytesHeld() {
  for (let times = 0; times < 4; times += 1) globalThis.gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** Verifies a few before the first weighing, so that what is made once is not counted. */
async function verified() {
  const latchkey = open(entries)
  await verifyRange(latchkey, 0, 1000)
  const before = bytesHeld()
  await verifyRange(latchkey, 1000, entries)
  const value = (bytesHeld() - before) / (entries - 1000)
  await verifyHot(latchkey)
  return value
}

async function map() {
  const before = bytesHeld()
  const held = new Map()
  for (let index = 0; index < entries; index += 1)
    held.set(digestOf(secretAt(index)).toString('base64'), index)
  const value = (bytesHeld() - before) / entries
  if (held.size !== entries) throw new Error('the map was not kept')
  return value
}

/** A tenth of the room for all of them: how many tokens are answered from memory beyond what the setting allows. */
async function bounded() {
  const room = entries / 10
  const latchkey = open(room)
  await verifyRange(latchkey, 0, entries)
  let hot = 0
  for (let index = 0; index < entries; index += 1) {
    const answer = latchkey.tokens.verify(secretAt(index))
    if (answer instanceof Promise) await answer
    else hot += 1
  }
  // Two generations: see the setting.
  return Math.max(0, hot - 2 * room)
}

function open(cacheEntries) {
  return createLatchkey({ store: sqlite(path), secret: SERVER_SECRET, cacheEntries })
}

async function verifyRange({ tokens }, from, to) {
  for (let index = from; index < to; index += 1) await tokens.verify(secretAt(index))
}

/** Else the memory that was weighed would not be what answers. */
async function verifyHot({ tokens }) {
  for (let index = 0; index < entries; index += 97) {
    if (tokens.verify(secretAt(index)) instanceof Promise) throw new Error('a token is not in memory')
  }
}

const value = await TASKS[what]()
process.send?.({ value }, () => process.exit(0))
if (process.send === undefined) console.log(value)
