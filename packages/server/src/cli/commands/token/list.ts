/** `latchkey token list` and `latchkey token show`: who has what, and where it was last used. */
import { Command } from 'commander'
import { findUser } from '../../find-user.js'
import { withoutSealing } from '../../open.js'
import { CommandError, type Io, note, printJson, printLine, printTable } from '../../output.js'
import { loadSettings, withSettings } from '../../session.js'
import {
  findPolicy,
  findToken,
  listedTokenJson,
  namesOf,
  TOKEN_HEADINGS,
  tokenCells,
  tokenRows,
} from '../../tokens.js'

interface ListFlags {
  readonly user?: string
  readonly policy?: string
  readonly hint?: string
  readonly json?: boolean
}

export function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list tokens, without their secrets')
    .option('--user <username>', "only this user's")
    .option('--policy <name>', 'only of this policy')
    .option('--hint <hint>', 'only those with this hint, of the old secret too')
    .option('--json', 'print one JSON document')
    .action(async ({ user: username, json, ...selection }: ListFlags) => {
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        const owner = username === undefined ? undefined : await findUser(latchkey, username)
        const names = namesOf(owner === undefined ? await latchkey.users.list() : [owner])
        const tokens = await latchkey.tokens.list({ ...selection, ...(owner && { user: owner }) })
        if (tokens.length === 0 && selection.policy !== undefined) findPolicy(settings, selection.policy)
        if (json) {
          printJson(
            io,
            tokens.map((token) => listedTokenJson(token, names.get(token.userId))),
          )
          return
        }
        if (tokens.length === 0) return note(io, 'No tokens.')
        const nowMs = latchkey.clock.nowMs()
        const rows = tokens.map((token) => tokenCells(token, { username: names.get(token.userId), nowMs }))
        printTable(io, TOKEN_HEADINGS, rows)
      })
    })
  return withSettings(command)
}

export function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('show one token; its secret only with --reveal')
    .argument('<id>', 'as in `latchkey token list`')
    .option('--reveal', 'print the secret, where the policy keeps it')
    .option('--json', 'print one JSON document')
    .action(async (id: string, { reveal, json }: { reveal?: boolean; json?: boolean }) => {
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        const token = await findToken(latchkey, id)
        if (reveal && !findPolicy(settings, token.policy).shownAgain)
          throw new CommandError(
            `token ${id} was shown once: \`latchkey token rotate ${id}\` gives it a new secret`,
          )
        const username = (await latchkey.users.get(token.userId))?.username
        const secret = reveal ? (await latchkey.tokens.reveal(token)).reveal() : undefined
        if (json) {
          printJson(io, {
            ...listedTokenJson(token, username),
            ...(secret !== undefined && { token: secret }),
          })
          return
        }
        const rows = [...tokenRows(token, { username, nowMs: latchkey.clock.nowMs() })]
        if (secret !== undefined) rows.push(['TOKEN', secret])
        const width = Math.max(...rows.map(([heading]) => heading.length)) + 2
        for (const [heading, text] of rows) printLine(io, heading.padEnd(width) + text)
      })
    })
  return withSettings(command)
}
