/**
 * `npm run conformance`: plays recordings of the real Django servers against Latchkey, one server per profile of
 * settings, and prints what passed, what failed and what departs on purpose (docs/departures.md).
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const here = dirname(fileURLToPath(import.meta.url))
const HELP = `usage: npm run conformance -- [--cases FILE] [--group G]... [--only ID]... [--verbose]

  --cases FILE   recordings to play (default: conformance/cases.json)
  --group G      only this group; repeatable (default: the groups that Latchkey implements)
  --only ID      only this case; repeatable, a trailing * matches a prefix
  --verbose      also name the cases that pass`

/** Groups of recordings whose endpoints exist here. */
const IMPLEMENTED = [
  'authtoken',
  'authentication',
  'permissions',
  'negotiation',
  'basic',
  'session',
  'jwt',
  'knox',
]

const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: join(here, 'cases.json') },
    group: { type: 'string', multiple: true, default: IMPLEMENTED },
    only: { type: 'string', multiple: true, default: [] },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}

const casesFile = resolve(options.cases)
const { cases, profiles } = JSON.parse(readFileSync(casesFile, 'utf8'))
const departures = new Set(
  [...readFileSync(join(here, '../docs/departures.md'), 'utf8').matchAll(/^\| `([\w-]+)` \|/gm)].map(
    ([, id]) => id,
  ),
)
const wanted = cases.filter(
  (one) =>
    options.group.includes(one.group) &&
    (options.only.length === 0 || options.only.some((id) => fits(one.id, id))),
)
const tally = { passed: 0, failed: 0, departed: 0, skipped: 0 }

for (const profile of new Set(wanted.map(profileOf))) {
  const settings = profiles[profile] ?? wanted.find((one) => profileOf(one) === profile)?.server?.env ?? {}
  const { child, url } = await startApp(settings)
  try {
    for (const result of await replay(profile, url)) report(result)
  } finally {
    child.kill()
  }
}
if (tally.departed > 0)
  console.log(`${tally.departed} departed on purpose: docs/departures.md has the reasons`)
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`)
process.exit(tally.failed > 0 || tally.passed === 0 ? 1 : 0)

function profileOf(one) {
  return one.server?.profile ?? 'default'
}

function fits(id, pattern) {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern
}

async function startApp(settings) {
  const child = spawn(process.execPath, [join(here, 'dist/app.js'), casesFile], {
    env: { ...process.env, CONFORMANCE_ENV: JSON.stringify(settings) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const url of createInterface({ input: child.stdout })) return { child, url }
  throw new Error('the conformance app did not start')
}

async function replay(profile, url) {
  const child = spawn(
    process.execPath,
    [
      join(here, 'replay.mjs'),
      ...['--base-url', url, '--cases', casesFile, '--profile', profile, '--json'],
      ...['--reset-url', '/test/reset', '--control-url', '/test/control', '--group', options.group.join(',')],
      ...(options.only.length > 0 ? ['--only', options.only.join(',')] : []),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  for await (const chunk of child.stdout) output += chunk
  if (output === '') throw new Error('the replayer could not run')
  return JSON.parse(output).results.filter((result) => (result.profile ?? 'default') === profile)
}

/** A departure that does not depart any more is a mistake in the list, and fails. */
function report({ id, result, failures = [] }) {
  const departs = departures.has(id)
  const outcome = departs ? (result === 'failed' ? 'departed' : 'failed') : result
  tally[outcome] += 1
  if (outcome === 'passed' && !options.verbose) return
  console.log(
    `${outcome === 'failed' ? 'FAIL' : outcome}  ${id}${departs && outcome === 'failed' ? ': is listed as a departure but passes' : ''}`,
  )
  if (outcome === 'failed')
    for (const failure of failures)
      console.log(`      ${typeof failure === 'string' ? failure : JSON.stringify(failure)}`)
}
