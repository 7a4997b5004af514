/** `latchkey user create|list|activate|deactivate|password`: accounts. */
import { Command } from 'commander'
import { findUser } from '../find-user.js'
import { withoutSealing } from '../open.js'
import { type Io, note, printJson, printLine, printTable, timeText } from '../output.js'
import { loadSettings, withSettings } from '../session.js'
import { userJson } from '../user-json.js'
import { changePasswordCommand } from './change-password.js'
import { createUserCommand } from './create-user.js'

export function userCommand(io: Io): Command {
  return new Command('user')
    .description('create, list, activate and deactivate users; set passwords')
    .addCommand(createUserCommand(io, 'create', 'user'))
    .addCommand(listCommand(io))
    .addCommand(switchCommand(io, 'activate'))
    .addCommand(switchCommand(io, 'deactivate'))
    .addCommand(changePasswordCommand(io, 'password'))
}

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list users')
    .option('--json', 'print one JSON document')
    .action(async ({ json }: { json?: boolean }) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const users = await latchkey.users.list()
        if (json) printJson(io, users.map(userJson))
        else if (users.length === 0) note(io, 'No users.')
        else {
          const rows = users.map((user) => [
            String(user.id),
            user.username,
            user.email || '-',
            user.isActive ? 'yes' : 'no',
            user.isStaff ? 'yes' : 'no',
            user.isSuperuser ? 'yes' : 'no',
            timeText(user.dateJoined),
            timeText(user.lastLogin),
          ])
          printTable(
            io,
            ['ID', 'USERNAME', 'EMAIL', 'ACTIVE', 'STAFF', 'SUPERUSER', 'JOINED', 'LAST LOGIN'],
            rows,
          )
        }
      })
    })
  return withSettings(command)
}

/** What each of the two says of itself and of what it did. */
const SWITCHES = {
  activate: { description: 'let a user act again', done: 'is active' },
  deactivate: {
    description: 'refuse a user: password, tokens and sessions, from now on',
    done: 'is inactive: no password, token or session of this user is accepted',
  },
} as const

function switchCommand(io: Io, verb: keyof typeof SWITCHES): Command {
  const command = new Command(verb)
    .description(SWITCHES[verb].description)
    .argument('<username>', 'whom')
    .action(async (username: string) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        await latchkey.users[verb](await findUser(latchkey, username))
        printLine(io, `User ${username} ${SWITCHES[verb].done}.`)
      })
    })
  return withSettings(command)
}
