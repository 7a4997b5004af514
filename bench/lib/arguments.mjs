/** The command line of `npm run bench`: which rows, how often, and whether two versions are compared. */
import { parseArgs } from 'node:util'
import { Stop } from './stop.mjs'

const LOWEST_PAIRS = 15

export const USAGE = `Usage: npm run bench -- [ROW]… [--rounds N] [--tokens N] [--no-build] [--list]
       npm run bench -- ROW… --against COMMIT [--pairs N] [--tokens N]

  ROW               only these rows; a trailing * matches a prefix (default: all but those of a group)
  GROUP             all rows of a group: scale
  --rounds N        how often ours and the limit take turns (default: 7); below 5 only to see that a row works
  --tokens N        tokens in the database of the cold rows (default: 1000000; of the largest of scale: 10000000)
  --no-build        measure what dist/ holds, without compiling first
  --list            name the rows
  --against COMMIT  compare this checkout with that commit: ratio of the time per operation, new / old
  --pairs N         processes of each version in a comparison (default and lowest: ${LOWEST_PAIRS})`

const OPTIONS = {
  rounds: { type: 'string' },
  tokens: { type: 'string' },
  'no-build': { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  against: { type: 'string' },
  pairs: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
}

/**
 * @typedef {object} Plan
 * @property {'help' | 'list' | 'measure' | 'compare'} task
 * @property {readonly import('./row.mjs').Row[]} rows
 * @property {string} results the name of the results: some rows must not replace the numbers of all of them
 * @property {import('./row.mjs').Options} options
 * @property {boolean} build
 * @property {string} against the commit as it was typed; only with `task: 'compare'`
 * @property {number} pairs
 */

/**
 * @param {readonly string[]} argv
 * @param {readonly import('./row.mjs').Row[]} rows all there are
 * @returns {Plan}
 * @throws Stop for a row or a combination of options that does not exist, or a number out of range
 */
export function readArguments(argv, rows) {
  const { values, positionals } = parse(argv)
  const unknown = positionals.find((pattern) => !rows.some((row) => fits(row, pattern)))
  if (unknown !== undefined) throw new Stop(`there is no row ${unknown}\n\n${USAGE}`)
  const plan = { ...asked(positionals, rows), ...optionsOf(values), build: !values['no-build'] }
  if (values.help) return { ...plan, task: 'help' }
  if (values.list) return { ...plan, task: 'list' }
  if (values.against === undefined) {
    if (values.pairs !== undefined) throw new Stop('--pairs: only with --against COMMIT')
    return { ...plan, task: 'measure' }
  }
  return { ...plan, ...comparison(values, positionals, plan.rows, rows), task: 'compare' }
}

function parse(argv) {
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    throw new Stop(`${error.message}\n\n${USAGE}`)
  }
}

function optionsOf({ rounds, tokens }) {
  return {
    options: {
      rounds: rounds === undefined ? 7 : count('--rounds', rounds, 2),
      ...(tokens === undefined ? {} : { tokens: count('--tokens', tokens, 10_000) }),
    },
  }
}

function comparison({ against, pairs, rounds, 'no-build': noBuild }, positionals, rows, all) {
  if (against === '') throw new Stop('--against: names no commit')
  if (noBuild) throw new Stop('--no-build: a comparison builds both versions')
  if (rounds !== undefined) throw new Stop('--rounds: a comparison has one round per process; see --pairs')
  const comparable = all.filter((row) => row.comparison !== undefined).map(({ name }) => name)
  if (positionals.length === 0) throw new Stop(`--against: name the rows: ${comparable.join(', ')}`)
  const without = rows.find((row) => row.comparison === undefined)
  if (without !== undefined) {
    throw new Stop(`--against: ${without.name} cannot be compared; these can: ${comparable.join(', ')}`)
  }
  return { against, pairs: pairs === undefined ? LOWEST_PAIRS : count('--pairs', pairs, LOWEST_PAIRS) }
}

function asked(patterns, rows) {
  if (patterns.length === 0) {
    return { rows: rows.filter(({ group }) => group === undefined), results: 'latest' }
  }
  const named = rows.filter((row) => patterns.some((pattern) => fits(row, pattern)))
  const [only] = patterns
  return { rows: named, results: patterns.length === 1 && named[0]?.group === only ? only : 'partial' }
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
