/** Prevents a green line over tests that never ran: reads what each runner says it did, and trusts nothing else. */

const LAST_LINE = /^(\d+) passed, (\d+) failed, (\d+) skipped(?:, (\d+) departures?)?$/gm

/** The counts of a step, summed up in the line that ends `npm test`. */
export function lastLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`
}

/** Out of vitest's JSON report. A file that could not even be loaded counts as one failure; todo counts as skipped. */
export function vitestCounts(json) {
  const report = JSON.parse(json)
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && file.assertionResults.length === 0,
  )
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

/** Out of the last summary line of the conformance runner. */
export function conformanceCounts(output) {
  const found = [...output.matchAll(LAST_LINE)].at(-1)
  if (!found) throw new Error('the line "N passed, M failed, K skipped" is missing')
  const [passed, failed, skipped] = found.slice(1, 4).map(Number)
  return { passed, failed, skipped }
}
