/** `changepassword` and `user password`: Django's dialogue, or one line from standard input. */
import { userInfo } from 'node:os'
import { Command } from 'commander'
import { isLatchkeyError, type Latchkey, type User } from 'latchkey'
import { findUser } from '../find-user.js'
import { withoutSealing } from '../open.js'
import { CommandError, type Io, note, printLine } from '../output.js'
import { Prompt, passwordFromStdin } from '../prompt.js'
import { loadSettings, withSettings } from '../session.js'

interface Flags {
  readonly passwordStdin?: boolean
  readonly allowWeakPassword?: boolean
}

export function changePasswordCommand(io: Io, name: string): Command {
  const command = new Command(name)
    .description("set a user's password; sessions and JWTs end")
    .argument('[username]', 'whose password (default: your own name on this machine)')
    .option('--password-stdin', 'read the password from the first line of standard input')
    .option('--allow-weak-password', 'take a password that is short, common or like the username')
    .action(async (username: string | undefined, flags: Flags) => {
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        const user = await findUser(latchkey, username ?? userInfo().username)
        if (flags.passwordStdin) await setFromStdin(io, latchkey, user, flags)
        else await dialogue(io, latchkey, user, flags)
        printLine(io, `Password changed successfully for user '${user.username}'`)
      })
    })
  return withSettings(command)
}

async function setFromStdin(io: Io, latchkey: Latchkey, user: User, flags: Flags): Promise<void> {
  const problems = await trySet(latchkey, user, await passwordFromStdin(io), flags)
  if (problems.length === 0) return
  throw new CommandError(problems.join(' ') + (flags.allowWeakPassword ? '' : WEAK_HINT))
}

export const WEAK_HINT = ' (--allow-weak-password takes what is only weak)'

const MAX_TRIES = 3

async function dialogue(io: Io, latchkey: Latchkey, user: User, flags: Flags): Promise<void> {
  const prompt = new Prompt(io)
  if (!prompt.isPossible) {
    throw new CommandError('there is no terminal to ask for a password: use --password-stdin')
  }
  note(io, `Changing password for user '${user.username}'`)
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const password = await prompt.askHidden('Password: ')
    const again = await prompt.askHidden('Password (again): ')
    const problems = password === again ? await trySet(latchkey, user, password, flags) : [MISMATCH]
    if (problems.length === 0) return
    for (const problem of problems) note(io, problem)
  }
  throw new CommandError(`Aborting password change for user '${user.username}' after ${MAX_TRIES} attempts`)
}

const MISMATCH = 'Passwords do not match. Please try again.'

/** What the validators refuse; nothing when the password is set. */
async function trySet(
  latchkey: Latchkey,
  user: User,
  password: string,
  flags: Flags,
): Promise<readonly string[]> {
  if (password === '') return ["Blank passwords aren't allowed."]
  try {
    await latchkey.users.setPassword(user, password, { allowWeakPassword: flags.allowWeakPassword === true })
    return []
  } catch (error) {
    if (isLatchkeyError(error, 'invalid')) return error.fields?.password ?? [error.publicMessage]
    throw error
  }
}
