/** `createsuperuser`, `createuser` and `user create`: Django's dialogue, and ways around it for scripts. */
import { userInfo } from 'node:os'
import { Command } from 'commander'
import {
  type CreateUserOptions,
  emailErrors,
  isLatchkeyError,
  type Latchkey,
  normalizeUsername,
  type User,
  usernameErrors,
} from 'latchkey'
import { withoutSealing } from '../open.js'
import { CommandError, type Io, note, printJson, printLine } from '../output.js'
import { Prompt, passwordFromStdin } from '../prompt.js'
import { loadSettings, withSettings } from '../session.js'
import { UsageError } from '../usage.js'
import { userJson } from '../user-json.js'
import { WEAK_HINT } from './change-password.js'

type Kind = 'superuser' | 'user'

interface Flags {
  readonly username?: string
  readonly email?: string
  /** False: `--noinput`, or `--no-input`, Django's other spelling. */
  readonly input: boolean
  readonly passwordStdin?: boolean
  readonly allowWeakPassword?: boolean
  readonly staff?: boolean
  readonly superuser?: boolean
  readonly json?: boolean
}

/** Where `--noinput` finds the password of a superuser. */
const PASSWORD_VARIABLE = 'LATCHKEY_SUPERUSER_PASSWORD'

export function createUserCommand(io: Io, name: string, kind: Kind): Command {
  const command = new Command(name)
    .description(kind === 'superuser' ? 'create a user who may do everything' : 'create a user')
    .argument('[username]', 'whom to create; asked for when missing')
    .option('--username <username>', 'the same, as an option')
    .option('--email <email>', 'e-mail address')
    .option('--noinput, --no-input', 'never ask')
    .option('--password-stdin', 'read the password from the first line of standard input')
    .option('--allow-weak-password', 'take a password that is short, common or like the username')
    .option('--json', 'print the new user as one JSON document')
    .action(async (username: string | undefined, flags: Flags) => {
      if (username !== undefined && flags.username !== undefined && username !== flags.username)
        throw new UsageError(command, 'give one username, as an argument or by --username')
      const settings = await loadSettings(io, command)
      await withoutSealing(io, settings, async ({ latchkey }) => {
        const wanted = username ?? flags.username
        const user = await create(io, latchkey, kind, {
          ...flags,
          ...(wanted === undefined ? {} : { username: wanted }),
        })
        if (flags.json) printJson(io, userJson(user))
        else printLine(io, `${user.isSuperuser ? 'Superuser' : 'User'} created successfully.`)
      })
    })
  if (kind === 'user') {
    command.option('--staff', 'the user passes isAdminUser')
    command.option('--superuser', 'the user may do everything')
  } else {
    command.addHelpText(
      'after',
      `\nWith --noinput the password is that of ${PASSWORD_VARIABLE}; without it, none works.`,
    )
  }
  return withSettings(command)
}

async function create(io: Io, latchkey: Latchkey, kind: Kind, flags: Flags): Promise<User> {
  const isSuperuser = kind === 'superuser' || flags.superuser === true
  const roles = { isSuperuser, isStaff: isSuperuser || flags.staff === true }
  const isSilent = !flags.input
  const { email = '', allowWeakPassword = false } = flags
  if (isSilent || flags.passwordStdin) {
    const option = isSilent ? '--noinput' : '--password-stdin'
    if (flags.username === undefined) throw new CommandError(`You must use --username with ${option}.`)
    const password = flags.passwordStdin
      ? await passwordFromStdin(io)
      : isSuperuser
        ? io.env[PASSWORD_VARIABLE]
        : undefined
    const user = await createOrRefuse(latchkey, {
      username: flags.username,
      email,
      allowWeakPassword,
      ...roles,
      ...(password ? { password } : {}),
    })
    if (!password)
      note(io, `No password will work until \`latchkey changepassword ${argument(user.username)}\` sets one.`)
    return user
  }
  return dialogue(io, latchkey, { ...roles, allowWeakPassword }, flags)
}

async function createOrRefuse(latchkey: Latchkey, options: CreateUserOptions): Promise<User> {
  try {
    return await latchkey.users.create(options)
  } catch (error) {
    const { username, email, password } = problemsOf(error)
    if (username || email) throw refusal(username ?? email)
    throw new CommandError(`${password?.join(' ')}${options.allowWeakPassword ? '' : WEAK_HINT}`)
  }
}

async function dialogue(
  io: Io,
  latchkey: Latchkey,
  options: Omit<CreateUserOptions, 'username'>,
  flags: Flags,
): Promise<User> {
  const prompt = new Prompt(io)
  if (!prompt.isPossible) {
    const way = options.isSuperuser
      ? `--noinput with ${PASSWORD_VARIABLE}, or --password-stdin`
      : '--password-stdin or --noinput'
    throw new CommandError(`there is no terminal to ask for a password: use ${way}`)
  }
  const username = await askUsername(io, prompt, latchkey, flags.username)
  const email = await askEmail(io, prompt, flags.email)
  for (let { allowWeakPassword = false } = options; ; ) {
    const password = await askPasswordTwice(io, prompt)
    for (;;) {
      try {
        return await latchkey.users.create({ ...options, username, email, password, allowWeakPassword })
      } catch (error) {
        const problems = problemsOf(error)
        if (problems.username || problems.email) throw refusal(problems.username ?? problems.email)
        for (const message of problems.password ?? []) note(io, message)
      }
      // What is refused all the same is not weak: it cannot be a password.
      if (allowWeakPassword) break
      const answer = await prompt.ask('Bypass password validation and create user anyway? [y/N]: ')
      if (answer.trim().toLowerCase() !== 'y') break
      allowWeakPassword = true
    }
  }
}

/** Asks until the name is free. A name that was given on the command line is refused at once. */
async function askUsername(
  io: Io,
  prompt: Prompt,
  latchkey: Latchkey,
  given: string | undefined,
): Promise<string> {
  const problemWith = async (name: string): Promise<string | undefined> => {
    const normalized = normalizeUsername(name)
    const [error] = usernameErrors(normalized)
    if (error !== undefined) return error
    return (await latchkey.users.findByUsername(normalized)) === null
      ? undefined
      : 'That username is already taken.'
  }
  if (given !== undefined) {
    const problem = await problemWith(given)
    if (problem !== undefined) throw new CommandError(problem)
    return given
  }
  const own = systemUsername()
  const suggestion = (await problemWith(own)) === undefined ? own : ''
  for (;;) {
    const question = suggestion === '' ? 'Username: ' : `Username (leave blank to use '${suggestion}'): `
    const name = (await prompt.ask(question)).trim() || suggestion
    const problem = name === '' ? 'This field cannot be blank.' : await problemWith(name)
    if (problem === undefined) return name
    note(io, `Error: ${problem}`)
  }
}

/** Asks until it can be an address. One that was given on the command line is refused at once. */
async function askEmail(io: Io, prompt: Prompt, given: string | undefined): Promise<string> {
  for (;;) {
    const email = given ?? (await prompt.ask('Email address: ')).trim()
    const [problem] = emailErrors(email)
    if (problem === undefined) return email
    if (given !== undefined) throw new CommandError(problem)
    note(io, `Error: ${problem}`)
  }
}

/** The person's name on this machine, where it has one. */
function systemUsername(): string {
  try {
    return userInfo().username.toLowerCase()
  } catch {
    return ''
  }
}

async function askPasswordTwice(io: Io, prompt: Prompt): Promise<string> {
  for (;;) {
    const password = await prompt.askHidden('Password: ')
    const again = await prompt.askHidden('Password (again): ')
    if (password !== again) note(io, "Error: Your passwords didn't match.")
    else if (password.trim() === '') note(io, "Error: Blank passwords aren't allowed.")
    else return password
  }
}

/** A name as a command line takes it. */
function argument(username: string): string {
  return username.startsWith('-') ? `-- ${username}` : username
}

/** What the user service refused, field by field; anything else goes on its way. */
function problemsOf(error: unknown): Partial<Record<'username' | 'email' | 'password', readonly string[]>> {
  if (isLatchkeyError(error, 'invalid') && error.fields) return error.fields
  throw error
}

function refusal(messages: readonly string[] = []): CommandError {
  return new CommandError(messages.join(' '))
}
