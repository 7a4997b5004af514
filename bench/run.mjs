/**
 * `npm run bench`: measures each row in a process of its own, prints the table, writes it to `results/`, and ends with
 * exit code 1 when a goal is missed. README.md says how each row is measured.
 */
import { fork } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { run as runCommand } from '../tools/lib/run.mjs'
import { describeMachine } from './lib/machine.mjs'
import { installPeers } from './lib/peers.mjs'
import { judge, markdownReport, plot, textReport } from './lib/report.mjs'
import { ROWS } from './rows/index.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const USAGE = `Usage: npm run bench -- [ROW]… [--rounds N] [--tokens N] [--no-build] [--list]

  ROW         only these rows; a trailing * matches a prefix (default: all but those of a group)
  GROUP       all rows of a group: scale
  --rounds N  how often ours and the limit take turns (default: 7); below 5 only to see that a row works
  --tokens N  tokens in the database of the cold rows (default: 1000000; of the largest of scale: 10000000)
  --no-build  measure what dist/ holds, without compiling first
  --list      name the rows`

class Stop extends Error {}

/** @returns {{ rows: readonly import('./lib/row.mjs').Row[], options: import('./lib/row.mjs').Options, build: boolean } | null} */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '7' },
      tokens: { type: 'string' },
      'no-build': { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) {
    console.log(USAGE)
    return null
  }
  if (values.list) {
    for (const { name, title } of ROWS) console.log(`${name.padEnd(20)} ${title}`)
    return null
  }
  const unknown = positionals.find((pattern) => !ROWS.some((row) => fits(row, pattern)))
  if (unknown !== undefined) throw new Stop(`there is no row ${unknown}\n\n${USAGE}`)
  return {
    ...asked(positionals),
    options: {
      rounds: count('--rounds', values.rounds, 2),
      ...(values.tokens === undefined ? {} : { tokens: count('--tokens', values.tokens, 10_000) }),
    },
    build: !values['no-build'],
  }
}

/** The rows, and the name of their results: a look at a few rows must not replace the numbers of all of them. */
function asked(patterns) {
  const all = ROWS.filter(({ group }) => group === undefined)
  if (patterns.length === 0) return { rows: all, results: 'latest' }
  const rows = ROWS.filter((row) => patterns.some((pattern) => fits(row, pattern)))
  const [only] = patterns
  return { rows, results: patterns.length === 1 && rows[0]?.group === only ? only : 'partial' }
}

function fits({ name, group }, pattern) {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern || group === pattern
}

function count(option, text, lowest) {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < lowest) {
    throw new Stop(`${option}: must be a whole number, ${lowest} or more`)
  }
  return number
}

/** Old output would give numbers of sources that are no longer there. */
async function build() {
  const tsc = join(HERE, '../node_modules/typescript/bin/tsc')
  const { code } = await runCommand(process.execPath, [tsc, '-b'], { cwd: join(HERE, '..') })
  if (code !== 0) throw new Stop('the build failed; its messages are above')
}

/**
 * A row's numbers do not depend on which rows were measured before it: every row has a fresh heap and compiler.
 * @returns {Promise<import('./lib/row.mjs').Measured>}
 */
function measure(row, options) {
  return new Promise((resolve, reject) => {
    const child = fork(join(HERE, 'run-row.mjs'), [row.name, JSON.stringify(options)])
    let measured
    child.on('message', (message) => {
      measured = message
    })
    child.on('exit', (code) => {
      if (measured === undefined || code !== 0) reject(new Stop(`${row.name}: could not be measured`))
      else resolve(measured)
    })
  })
}

async function main() {
  const plan = readArguments()
  if (plan === null) return
  const { rows, results: name, options } = plan
  if (plan.build) await build()
  if (rows.some(({ needsPeers }) => needsPeers) && !(await installPeers())) {
    throw new Stop('the peers could not be installed (bench/peers/package.json); other rows can be named')
  }
  const machine = describeMachine()
  const results = []
  for (const row of rows) {
    process.stderr.write(`${row.name} …\n`)
    const startedMs = Date.now()
    const measured = await measure(row, options)
    results.push({ ...judge(row, measured), seconds: Math.round((Date.now() - startedMs) / 1000) })
    process.stdout.write(`${textReport(results.slice(-1))}\n`)
  }
  const all = { machine, options, ok: results.every(({ ok }) => ok), rows: results }
  writeResults(name, all)
  const missed = results.flatMap((row) =>
    row.goals.filter(({ ok }) => !ok).map(({ text }) => `${row.name}: ${text}`),
  )
  for (const line of missed) console.error(`MISSED ${line}`)
  const absent = results.flatMap(({ goals }) => goals).filter((goal) => goal.absent !== undefined).length
  const summary = missed.length === 0 ? 'All goals met' : `${missed.length} goals missed`
  console.log(`${summary}${absent === 0 ? '' : `, ${absent} not measured`}; bench/results/${name}.md`)
  process.exitCode = missed.length === 0 ? 0 : 1
}

/** Data, tables and plots; those of an earlier run of this name go. */
function writeResults(name, all) {
  const folder = join(HERE, 'results')
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(folder)) if (file.startsWith(`${name}.`)) rmSync(join(folder, file))
  const plotOf = (row) => `${name}.${row}.svg`
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(all, null, 2)}\n`)
  writeFileSync(join(folder, `${name}.md`), markdownReport(all, plotOf))
  for (const row of all.rows) writeFileSync(join(folder, plotOf(row.name)), plot(row))
}

await main().catch((error) => {
  console.error(error instanceof Stop || error.code?.startsWith('ERR_PARSE_ARGS') ? error.message : error)
  process.exitCode = 2
})
