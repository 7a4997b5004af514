/** `latchkey flushexpiredtokens`: removes what has expired and means nothing any more. For a daily job. */
import { Command } from 'commander'
import { deleteExpiredJwts } from 'latchkey'
import { withoutSealing } from '../open.js'
import { type Io, printJson, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'

export function flushExpiredTokensCommand(io: Io): Command {
  const command = new Command('flushexpiredtokens')
    .description('remove expired tokens, sessions and what is remembered of expired JWTs')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey, store }) => {
        const removed = {
          tokens: await latchkey.tokens.deleteExpired(),
          sessions: await latchkey.sessions.deleteExpired(),
          loginAddresses: await latchkey.login.deleteExpiredAddresses(),
          // Also where this command has no signing key: records need none.
          jwts: await deleteExpiredJwts(store, latchkey.clock),
        }
        if (json) printJson(io, removed)
        else
          printLine(
            io,
            `Removed ${removed.tokens} tokens, ${removed.sessions} sessions, ${removed.jwts} JWT records.`,
          )
      })
    })
  return withSettings(command)
}
