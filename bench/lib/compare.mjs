/** `npm run bench -- ROW --against COMMIT`: processes of two versions in alternation, and what their ratios say. */
import { compareRow } from './comparison.mjs'
import { measure } from './measure.mjs'
import { build, describeCheckout, prepareOldVersion, resolveCommit } from './old-version.mjs'

/**
 * @param {string} root this checkout, which is the new version
 * @param {import('./arguments.mjs').Plan} plan
 * @returns {Promise<boolean>} false: a figure is slower than its row allows
 */
export async function compare(root, { rows, against, pairs: count, options }) {
  const commit = resolveCommit(root, against)
  await build(root)
  const old = await prepareOldVersion(root, commit)
  console.log(`old ${commit.slice(0, 7)}, new ${describeCheckout(root)}; ${count} pairs of processes per row`)
  let ok = true
  for (const row of rows) {
    const pairs = await measurePairs(row, { old, new: root }, count, { ...options, rounds: 1 })
    const figures = compareRow(row, pairs)
    console.log(comparisonText(row, figures))
    ok = figures.every((figure) => figure.ok) && ok
  }
  console.log(ok ? 'Not slower than allowed' : 'SLOWER than allowed')
  return ok
}

/** Old new, new old, …: what changes on the machine in the course of a pair favours each version as often. */
async function measurePairs({ name }, folders, count, options) {
  const pairs = []
  for (let index = 0; index < count; index += 1) {
    const pair = {}
    for (const version of index % 2 === 0 ? ['old', 'new'] : ['new', 'old']) {
      pair[version] = await measure(folders[version], name, options)
    }
    pairs.push(pair)
    process.stderr.write(`${name}: pair ${index + 1} of ${count}\n`)
  }
  return pairs
}

/**
 * @param {import('./row.mjs').Row} row
 * @param {readonly import('./comparison.mjs').Figure[]} figures
 */
export function comparisonText({ name, title, comparison }, figures) {
  const lines = figures.map(({ name: figure, unit, oldMedian, newMedian, ratio, ok }) => {
    const { middle, low, high, coverage } = ratio
    const interval = `${low.toFixed(3)} – ${high.toFixed(3)}, ${(coverage * 100).toFixed(1)} %`
    const verdict = `${ok ? 'ok    ' : 'SLOWER'} ${figure}`
    return `  ${verdict}: ${oldMedian.toPrecision(4)} → ${newMedian.toPrecision(4)} ${unit}, time × ${middle.toFixed(3)} (${interval})`
  })
  const rule = `  fails when the whole interval lies above ${comparison.atMost}`
  return ['', `${name}: ${title}`, ...lines, rule].join('\n')
}
