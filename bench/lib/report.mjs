/** Goals judged, and how a run is read: in the terminal, in `results/latest.md`, and as plots. */
import { median } from './numbers.mjs'
import { plotRow } from './plot.mjs'

/**
 * @param {import('./row.mjs').Row} row
 * @param {import('./row.mjs').Measured} measured
 */
export function judge({ name, title, unit, limit, goals }, { series, values, absent = {} }) {
  const judged = goals.map((goal) => judgeGoal(goal, values[goal.of], absent[goal.of]))
  return {
    name,
    title,
    limit,
    ok: judged.every(({ ok }) => ok),
    goals: judged,
    series: series.map((one) => ({
      name: one.name,
      of: one.name.startsWith('limit: ') ? 'limit' : (one.of ?? 'ours'),
      unit: one.unit ?? unit,
      median: median(one.rounds),
      min: Math.min(...one.rounds),
      max: Math.max(...one.rounds),
      ...(one.p99 === undefined ? {} : { p99: one.p99 }),
      rounds: one.rounds,
    })),
    values,
  }
}

/** A value that is not there is a missed goal, never a met one, unless the row says why it cannot be there. */
function judgeGoal({ says, unit, atMost, atLeast }, value, absent) {
  const bound = atMost ?? atLeast
  const sign = atMost === undefined ? '≥' : '≤'
  if (value === undefined && absent !== undefined) {
    const text = `${says} ${sign} ${withUnit(bound, unit)}: not measured, ${absent}`
    return { says, unit, bound, sign, absent, ok: true, missedBy: 0, text }
  }
  const ok = Number.isFinite(value) && (atMost === undefined ? value >= bound : value <= bound)
  const by = Math.abs(value - bound)
  const share = bound === 0 ? '' : ` (${((by / bound) * 100).toFixed(0)} %)`
  const text = `${says} ${sign} ${withUnit(bound, unit)}: ${withUnit(value, unit)}`
  return {
    says,
    unit,
    bound,
    sign,
    value,
    ok,
    missedBy: ok ? 0 : by,
    text: ok ? text : `${text}, missed by ${withUnit(by, unit)}${share}`,
  }
}

/** @param {ReadonlyArray<ReturnType<typeof judge>>} rows */
export function textReport(rows) {
  const lines = []
  for (const row of rows) {
    lines.push('', `${row.name}: ${row.title}`)
    const cells = row.series.map(cellsOf)
    const widths = [0, 1, 2, 3].map((column) => Math.max(...cells.map((line) => line[column].length)))
    for (const [name, ...numbers] of cells) {
      const columns = numbers.map((text, column) => text.padStart(widths[column + 1]))
      lines.push(`  ${[name.padEnd(widths[0]), ...columns].join('  ').trimEnd()}`)
    }
    for (const { ok, absent, text } of row.goals) {
      lines.push(`  ${absent === undefined ? (ok ? 'ok    ' : 'MISSED') : 'absent'} ${text}`)
    }
  }
  return lines.join('\n')
}

function cellsOf({ name, unit, median: middle, min, max, p99 }) {
  const range = `(${short(min)} – ${short(max)})`
  return [name, withUnit(middle, unit), range, p99 === undefined ? '' : `p99 ${short(p99)}`]
}

/** @param {ReturnType<typeof judge>} row @returns {string} SVG */
export function plot({ name, title, series }) {
  return plotRow({
    name,
    title,
    bars: series.map((one) => ({ ...one, text: withUnit(one.median, one.unit) })),
  })
}

/**
 * The file that is read without running anything.
 * @param {{ machine: object, options: object, rows: ReadonlyArray<ReturnType<typeof judge>> }} run
 * @param {(row: string) => string} plotOf the plot's path, as seen from this file
 */
export function markdownReport({ machine, options, rows }, plotOf) {
  const { at, cpu, cores, memoryGib, os, node, sqlite, loadBefore, serversOn } = machine
  const goals = rows.flatMap((row) =>
    row.goals.map(({ says, sign, bound, unit, value, ok, absent }) => [
      row.name,
      says,
      `${sign} ${withUnit(bound, unit)}`,
      absent ?? `**${withUnit(value, unit)}**`,
      absent === undefined ? (ok ? 'met' : '**missed**') : 'not measured',
    ]),
  )
  const series = rows.flatMap((row) =>
    row.series.map((one, index) => {
      const [name, middle, range, p99] = cellsOf(one)
      return [
        index === 0 ? `[${row.name}](${plotOf(row.name)})` : '',
        name,
        middle,
        range.slice(1, -1),
        p99.replace('p99 ', ''),
      ]
    }),
  )
  return `# Latest numbers

${at}. ${cpu}, ${cores} cores, ${memoryGib} GiB, ${os}, Node ${node}, SQLite ${sqlite}; load before: ${loadBefore}.
${options.rounds} rounds; servers under load: ${serversOn}. What each row means and does not mean: [README](../README.md).

## Goals

${table(['row', 'what', 'goal', 'measured', ''], goals)}

## All series

Medians of the rounds with the lowest and the highest round; p99 over all rounds. Each row's name leads to its plot.

${table(['row', 'what', 'median', 'min – max', 'p99'], series)}
`
}

function table(head, lines) {
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function withUnit(value, unit) {
  return unit === '' ? short(value) : `${short(value)} ${unit}`
}

/** Three digits that count. */
function short(value) {
  if (!Number.isFinite(value)) return 'nothing'
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value))
  return value.toPrecision(3)
}
