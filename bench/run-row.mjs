/** Measures one row and gives the numbers to `run.mjs`: `node bench/run-row.mjs ROW` also runs it under a profiler. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROWS } from './rows/index.mjs'

const [, , name, options = '{}'] = process.argv
const row = ROWS.find((one) => one.name === name)
if (row === undefined) throw new Error(`there is no row ${name}`)

const folder = mkdtempSync(join(tmpdir(), 'latchkey-bench-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

const tokens = row.group === 'scale' ? 10_000_000 : 1_000_000
const measured = await row.run({ rounds: 7, tokens, folder, ...JSON.parse(options) })
if (process.send) process.send(measured, () => process.exit(0))
else console.log(JSON.stringify(measured, null, 2))
