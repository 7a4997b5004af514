/** Prevents "passes on my machine": every gate in one order, on a fresh clone and everywhere else. Built-ins only. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensureInstalled, ROOT } from './ensure-installed.mjs'
import { conformanceCounts, lastLine, vitestCounts } from './lib/counts.mjs'
import { run } from './lib/run.mjs'

const work = mkdtempSync(join(tmpdir(), 'latchkey-test-'))
const report = join(work, 'vitest.json')
const bin = (path) => join(ROOT, 'node_modules', path)
const sources = ['latchkey', 'sql', 'server'].map((name) => `packages/${name}/src`)

/**
 * In this order, all of them, whatever fails. `count` reads how many tests a step ran; without it a step is one.
 * What is built first is what layers, the docs, the CLI tests and the tarballs look at.
 */
const STEPS = [
  { name: 'build', args: [bin('typescript/bin/tsc'), '-b'] },
  { name: 'lint', args: [bin('@biomejs/biome/bin/biome'), 'check', '--error-on-warnings', '.'] },
  { name: 'types', args: [bin('typescript/bin/tsc'), '-p', 'tsconfig.check.json'] },
  {
    name: 'layers',
    args: [bin('dependency-cruiser/bin/dependency-cruise.mjs'), '--config', 'tools/layers.cjs', ...sources],
  },
  { name: 'class-identity', args: ['tools/check-class-identity.mjs'] },
  { name: 'unused', args: [bin('knip/bin/knip.js')] },
  {
    name: 'vitest',
    args: [
      bin('vitest/vitest.mjs'),
      'run',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
    ],
    count: () => vitestCounts(readFileSync(report, 'utf8')),
  },
  { name: 'conformance', args: ['conformance/run.mjs'], tee: true, count: conformanceCounts },
  { name: 'torture', args: ['torture/run.mjs', '--seconds', '9', '--seed', '1'] },
  { name: 'attack', args: ['attack/run.mjs', '--minutes', '3', '--seed', '1'] },
  { name: 'docs', args: ['tools/check-docs.mjs'] },
  { name: 'pack', args: ['tools/check-pack.mjs'] },
]

const USAGE = `Usage: npm test -- [--only NAME]…   (${STEPS.map((step) => step.name).join(', ')})`

/** Runs one step with its output on the screen; never throws. */
async function runStep({ name, args, count, tee = false }) {
  console.log(`\n▶ ${name}`)
  const started = Date.now()
  const { code, output } = await run(process.execPath, args, { cwd: ROOT, tee })
  const gate = code === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 }
  let counts = gate
  if (count) {
    try {
      counts = count(output)
      if (code !== 0 && counts.failed === 0) counts = { ...counts, failed: 1 }
      if (counts.passed + counts.failed === 0) throw new Error('not one test ran')
    } catch (error) {
      console.error(`${name}: no result to read: ${error.message}`)
      counts = { passed: 0, failed: 1, skipped: 0 }
    }
  }
  return { name, ok: counts.failed === 0, seconds: (Date.now() - started) / 1000, ...counts }
}

function printTable(rows) {
  const width = Math.max(...rows.map((row) => row.name.length))
  console.log('')
  for (const { name, ok, seconds, passed, failed, skipped } of rows) {
    const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`
    console.log(
      `${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(width)}  ${seconds.toFixed(1).padStart(6)} s  ${counts}`,
    )
  }
}

async function main() {
  const { values } = parseArgs({
    options: { only: { type: 'string', multiple: true }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) return console.log(USAGE)
  const unknown = values.only?.find((name) => !STEPS.some((step) => step.name === name))
  if (unknown) throw new Error(`--only: there is no step ${unknown}\n${USAGE}`)
  await ensureInstalled()
  const rows = []
  for (const step of STEPS) {
    if (!values.only || values.only.includes(step.name)) rows.push(await runStep(step))
  }
  printTable(rows)
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0)
  const skippedInCi = process.env.CI === 'true' && sum('skipped') > 0
  if (skippedInCi) console.error('\nSkipped tests fail where CI=true: make them run or delete them.')
  console.log(`\n${lastLine({ passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') })}`)
  process.exitCode = skippedInCi || rows.some((row) => !row.ok) ? 1 : 0
}

await main()
  .catch((error) => {
    console.error(error.message)
    process.exitCode = 1
  })
  .finally(() => rmSync(work, { recursive: true, force: true }))
