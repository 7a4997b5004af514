/**
 * `npm run bench`: measures each row in a process of its own, prints the table, writes it to `results/`, and ends with
 * exit code 1 when a goal is missed; or, with `--against`, compares two versions. README.md says how each row is measured.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readArguments, USAGE } from './lib/arguments.mjs'
import { compare } from './lib/compare.mjs'
import { describeMachine } from './lib/machine.mjs'
import { measure } from './lib/measure.mjs'
import { build } from './lib/old-version.mjs'
import { installPeers } from './lib/peers.mjs'
import { judge, markdownReport, plot, textReport } from './lib/report.mjs'
import { Stop } from './lib/stop.mjs'
import { ROWS } from './rows/index.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const ROOT = join(HERE, '..')

async function main() {
  const plan = readArguments(process.argv.slice(2), ROWS)
  if (plan.task === 'help') return console.log(USAGE)
  if (plan.task === 'list') {
    for (const { name, title } of ROWS) console.log(`${name.padEnd(20)} ${title}`)
    return
  }
  const { rows } = plan
  if (rows.some(({ needsPeers }) => needsPeers) && !(await installPeers())) {
    throw new Stop('the peers could not be installed (bench/peers/package.json); other rows can be named')
  }
  if (plan.task === 'compare') process.exitCode = (await compare(ROOT, plan)) ? 0 : 1
  else await measureAll(plan)
}

async function measureAll({ rows, results: name, options, build: compile }) {
  // Old output would give numbers of sources that are no longer there.
  if (compile) await build(ROOT, '')
  const machine = describeMachine()
  const results = []
  for (const row of rows) {
    process.stderr.write(`${row.name} …\n`)
    const startedMs = Date.now()
    const measured = await measure(ROOT, row.name, options)
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

// The temporary worktree of a comparison goes at exit, which a signal alone would not cause.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))

await main().catch((error) => {
  console.error(error instanceof Stop ? error.message : error)
  process.exitCode = 2
})
