/** `latchkey check [--deploy]`: Django's system check. Says what is wrong or unwise before the server says it. */
import { Command, Option } from 'commander'
import { CHECKS, type Finding, type Level } from '../checks.js'
import { EXIT, Exit, type Io, printJson, printLine } from '../output.js'
import { withSettings } from '../session.js'

interface Flags {
  readonly deploy?: boolean
  readonly failLevel: Level
  readonly json?: boolean
}

export function checkCommand(io: Io): Command {
  const command = new Command('check')
    .description('check settings, database, secret and urls; exit code 1 when something is wrong')
    .option('--deploy', 'also warn of what is unwise in production')
    .addOption(
      new Option('--fail-level <level>', 'what makes the exit code 1')
        .choices(['error', 'warning'])
        .default('error'),
    )
    .option('--json', 'print one JSON document')
    .action(async ({ deploy = false, failLevel, json }: Flags) => {
      const findings: Finding[] = []
      for (const check of CHECKS) {
        if (deploy || !check.deployOnly) findings.push(...(await check.run({ io, command })))
      }
      if (json) printJson(io, findings)
      else printFindings(io, findings)
      if (findings.some(({ level }) => level === 'error' || level === failLevel)) throw new Exit(EXIT.refused)
    })
  return withSettings(command, 'serve')
}

const HEADINGS = { error: 'ERRORS:', warning: 'WARNINGS:' } as const

function printFindings(io: Io, findings: readonly Finding[]): void {
  for (const level of ['error', 'warning'] as const) {
    const some = findings.filter((finding) => finding.level === level)
    if (some.length > 0) printLine(io, HEADINGS[level])
    for (const { id, message, hint } of some) {
      printLine(io, `latchkey.${id}: ${message}`)
      printLine(io, `    HINT: ${hint}`)
    }
    if (some.length > 0) printLine(io, '')
  }
  const count =
    findings.length === 0 ? 'no issues' : `${findings.length} issue${findings.length === 1 ? '' : 's'}`
  printLine(io, `System check identified ${count}.`)
}
