/** `latchkey token revoke`: one token, or all that fit. */
import { Command } from 'commander'
import { findUser } from '../../find-user.js'
import { withoutSealing } from '../../open.js'
import { type Io, printLine } from '../../output.js'
import { loadSettings, withSettings } from '../../session.js'
import { findPolicy, findToken, noToken } from '../../tokens.js'
import { UsageError } from '../../usage.js'

interface RevokeFlags {
  readonly user?: string
  readonly policy?: string
  readonly hint?: string
}

export function revokeCommand(io: Io): Command {
  const command = new Command('revoke')
    .description('revoke one token, or all that fit every flag; they are refused from then on')
    .argument('[id]', 'as in `latchkey token list`')
    .option('--user <username>', "all of this user's tokens")
    .option('--policy <name>', 'all of this policy')
    .option('--hint <hint>', 'all with this hint, of the old secret too')
    .action(async (id: string | undefined, flags: RevokeFlags) => {
      const { user: username, policy, hint } = flags
      const isBulk = [username, policy, hint].some((flag) => flag !== undefined)
      if ((id !== undefined) === isBulk)
        throw new UsageError(command, 'give an id, or some of --user, --policy and --hint')
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        if (id !== undefined) {
          const token = await findToken(latchkey, id)
          if (!(await latchkey.tokens.revoke(token))) throw noToken(id)
          printLine(io, `Revoked token ${token.id}.`)
          return
        }
        const user = username === undefined ? undefined : await findUser(latchkey, username)
        const count = await latchkey.tokens.revokeAll({
          ...(user && { user }),
          ...(policy !== undefined && { policy }),
          ...(hint !== undefined && { hint }),
        })
        // Tokens of a policy that is no longer set up can be revoked; a misspelt one has none.
        if (count === 0 && policy !== undefined) findPolicy(settings, policy)
        const which = [
          ...(user ? [`of user ${user.username}`] : []),
          ...(policy === undefined ? [] : [`of policy ${policy}`]),
          ...(hint === undefined ? [] : [`with the hint ${hint}`]),
        ]
        printLine(io, `Revoked ${count} token${count === 1 ? '' : 's'} ${which.join(' ')}.`)
      })
    })
  return withSettings(command)
}
