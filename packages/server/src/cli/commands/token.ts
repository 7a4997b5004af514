/** `latchkey token create|list|show|revoke`: tokens, shown without their secrets except where one is asked for. */
import { Command } from 'commander'
import type { Latchkey, Token } from 'latchkey'
import { findUser, parseId } from '../find-user.js'
import { withLatchkey } from '../open.js'
import { CommandError, type Io, note, printJson, printLine, printTable } from '../output.js'
import { loadSettings, withSettings } from '../session.js'
import { resetOrGet, TOKEN_HEADINGS, tokenCells, tokenJson } from '../tokens.js'
import { UsageError } from '../usage.js'

export function tokenCommand(io: Io): Command {
  return new Command('token')
    .description('issue, list, show and revoke tokens')
    .addCommand(createCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(revokeCommand(io))
}

function createCommand(io: Io): Command {
  const command = new Command('create')
    .description("print a user's token, issuing it if there is none")
    .argument('<username>', 'whose token')
    .option('-r, --reset', 'revoke the present token and issue a new one')
    .option('--name <name>', 'a label for a new token')
    .option('--json', 'print one JSON document')
    .action(
      async (
        username: string,
        { reset = false, name, json }: { reset?: boolean; name?: string; json?: boolean },
      ) => {
        await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
          const user = await findUser(latchkey, username)
          const issued = await resetOrGet(latchkey, user, { reset, ...(name === undefined ? {} : { name }) })
          const { token, secret, created } = issued
          if (!created && name !== undefined)
            note(io, `${username} has a token already: its name stays as it is.`)
          if (json) printJson(io, { ...tokenJson(token, username), created, token: secret.reveal() })
          else printLine(io, secret.reveal())
        })
      },
    )
  return withSettings(command)
}

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list tokens, without their secrets')
    .option('--user <username>', "only this user's")
    .option('--json', 'print one JSON document')
    .action(async ({ user: username, json }: { user?: string; json?: boolean }) => {
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        const owners =
          username === undefined ? await latchkey.users.list() : [await findUser(latchkey, username)]
        const names = new Map(owners.map((user) => [user.id, user.username]))
        const [owner] = username === undefined ? [] : owners
        const tokens = await latchkey.tokens.list(owner === undefined ? {} : { user: owner })
        if (json) {
          printJson(
            io,
            tokens.map((token) => tokenJson(token, names.get(token.userId))),
          )
        } else if (tokens.length === 0) note(io, 'No tokens.')
        else
          printTable(
            io,
            TOKEN_HEADINGS,
            tokens.map((token) => tokenCells(token, names.get(token.userId))),
          )
      })
    })
  return withSettings(command)
}

function showCommand(io: Io): Command {
  const command = new Command('show')
    .description('show one token; its secret only with --reveal')
    .argument('<id>', 'as in `latchkey token list`')
    .option('--reveal', 'print the secret, where the policy keeps it')
    .option('--json', 'print one JSON document')
    .action(async (id: string, { reveal, json }: { reveal?: boolean; json?: boolean }) => {
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        const token = await findToken(latchkey, id)
        const username = (await latchkey.users.get(token.userId))?.username
        const secret = reveal ? (await latchkey.tokens.reveal(token)).reveal() : undefined
        if (json) {
          printJson(io, { ...tokenJson(token, username), ...(secret === undefined ? {} : { token: secret }) })
          return
        }
        const cells = tokenCells(token, username)
        const rows = TOKEN_HEADINGS.map((heading, column) => [heading, cells[column] ?? ''])
        if (secret !== undefined) rows.push(['TOKEN', secret])
        for (const [heading = '', cell = ''] of rows) printLine(io, `${heading.padEnd(9)}${cell}`)
      })
    })
  return withSettings(command)
}

function revokeCommand(io: Io): Command {
  const command = new Command('revoke')
    .description("revoke one token, or all of a user's; they are refused from then on")
    .argument('[id]', 'as in `latchkey token list`')
    .option('--user <username>', "all of this user's tokens")
    .action(async (id: string | undefined, { user: username }: { user?: string }) => {
      if ((id === undefined) === (username === undefined))
        throw new UsageError(command, 'give an id or --user, one of them')
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        if (id !== undefined) {
          const token = await findToken(latchkey, id)
          if (!(await latchkey.tokens.revoke(token))) throw noToken(id)
          printLine(io, `Revoked token ${token.id}.`)
        } else {
          const user = await findUser(latchkey, username ?? '')
          const count = await latchkey.tokens.revokeAll({ user })
          printLine(io, `Revoked ${count} token${count === 1 ? '' : 's'} of user ${user.username}.`)
        }
      })
    })
  return withSettings(command)
}

async function findToken(latchkey: Latchkey, id: string): Promise<Token> {
  const token = await latchkey.tokens.get(parseId(id))
  if (token === null) throw noToken(id)
  return token
}

function noToken(id: string): CommandError {
  return new CommandError(`there is no token ${id}`)
}
