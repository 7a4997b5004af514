/** `drf_create_token USER [-r]`: Django REST framework's command, with its output and its errors. */
import { Command } from 'commander'
import { withLatchkey } from '../open.js'
import { CommandError, type Io, printLine } from '../output.js'
import { loadSettings, withSettings } from '../session.js'
import { resetOrGet } from '../tokens.js'

export function drfCreateTokenCommand(io: Io): Command {
  const command = new Command('drf_create_token')
    .description('Create DRF Token for a given user')
    .argument('<username>', 'whose token')
    .option('-r, --reset', 'Reset existing User token and create a new one')
    .action(async (username: string, { reset = false }: { reset?: boolean }) => {
      await withLatchkey(io, await loadSettings(io, command), async ({ latchkey }) => {
        const user = await latchkey.users.findByUsername(username)
        if (user === null) throw new CommandError(`Cannot create the Token: user ${username} does not exist`)
        const { secret } = await resetOrGet(latchkey, user, { reset })
        printLine(io, `Generated token ${secret.reveal()} for user ${user.username}`)
      })
    })
  return withSettings(command)
}
