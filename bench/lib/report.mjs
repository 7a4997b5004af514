/** Goals judged, and the tables: for the terminal and for `results/latest.md`. */
import { median } from './numbers.mjs'

/**
 * @param {import('./row.mjs').Row} row
 * @param {import('./row.mjs').Measured} measured
 */
export function judge({ name, title, unit, limit, goals }, { series, values }) {
  const judged = goals.map((goal) => judgeGoal(goal, values[goal.of]))
  return {
    name,
    title,
    limit,
    ok: judged.every(({ ok }) => ok),
    goals: judged,
    series: series.map((one) => ({
      name: one.name,
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

/** A value that is not there is a missed goal, never a met one. */
function judgeGoal({ says, unit, atMost, atLeast }, value) {
  const bound = atMost ?? atLeast
  const ok = Number.isFinite(value) && (atMost === undefined ? value >= bound : value <= bound)
  const sign = atMost === undefined ? '≥' : '≤'
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
    for (const { ok, text } of row.goals) lines.push(`  ${ok ? 'ok    ' : 'MISSED'} ${text}`)
  }
  return lines.join('\n')
}

function cellsOf({ name, unit, median: middle, min, max, p99 }) {
  const range = `(${short(min)} – ${short(max)})`
  return [name, withUnit(middle, unit), range, p99 === undefined ? '' : `p99 ${short(p99)}`]
}

/** The file that is read without running anything. */
export function markdownReport({ machine, options, rows }) {
  const { at, cpu, cores, memoryGib, os, node, sqlite, loadBefore } = machine
  const goals = rows.flatMap((row) =>
    row.goals.map(({ says, sign, bound, unit, value, ok }) => [
      row.name,
      says,
      `${sign} ${withUnit(bound, unit)}`,
      `**${withUnit(value, unit)}**`,
      ok ? 'met' : '**missed**',
    ]),
  )
  const series = rows.flatMap((row) =>
    row.series.map((one, index) => {
      const [name, middle, range, p99] = cellsOf(one)
      return [index === 0 ? row.name : '', name, middle, range.slice(1, -1), p99.replace('p99 ', '')]
    }),
  )
  return `# Latest numbers

${at}. ${cpu}, ${cores} cores, ${memoryGib} GiB, ${os}, Node ${node}, SQLite ${sqlite}; load before: ${loadBefore}.
${options.rounds} rounds. What each row means and does not mean: [README](../README.md).

## Goals

${table(['row', 'what', 'goal', 'measured', ''], goals)}

## All series

Medians of the rounds with the lowest and the highest round; p99 over all rounds.

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
