/** `latchkey jwt list|revoke`: the refresh and sliding tokens that are outstanding, and how they end. */
import { Command } from 'commander'
import type { JwtRecord, JwtService, Latchkey } from 'latchkey'
import { findUser } from '../find-user.js'
import { withoutSealing } from '../open.js'
import { CommandError, type Io, note, printJson, printLine, printTable, timeText } from '../output.js'
import { loadSettings, withSettings } from '../session.js'
import { namesOf } from '../tokens.js'
import { UsageError } from '../usage.js'

export function jwtCommand(io: Io): Command {
  return new Command('jwt')
    .description('list and revoke refresh and sliding JWTs')
    .addCommand(listCommand(io))
    .addCommand(revokeCommand(io))
}

interface ListFlags {
  readonly user?: string
  readonly json?: boolean
}

function listCommand(io: Io): Command {
  const command = new Command('list')
    .description('list what is known of refresh and sliding JWTs, in the order of their issue; never a token')
    .option('--user <username>', 'those of this user')
    .option('--json', 'print one JSON document')
    .action(async ({ user: username, json }: ListFlags) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const user = username === undefined ? undefined : await findUser(latchkey, username)
        const records = [...(await jwtsOf(latchkey).list(user && { user }))].sort(byIssue)
        const nowMs = latchkey.clock.nowMs()
        const names = namesOf(await latchkey.users.list())
        const rows = records.map((record) => ({
          ...record,
          user: names.get(record.userId) ?? null,
          state: stateOf(record, nowMs),
        }))
        if (json) printJson(io, rows)
        else if (rows.length === 0) note(io, 'No JWTs.')
        else printTable(io, HEADINGS, rows.map(cellsOf))
      })
    })
  return withSettings(command)
}

function revokeCommand(io: Io): Command {
  const command = new Command('revoke')
    .description('refuse a refresh or sliding JWT, or everything that a user was issued until now')
    .argument('[jti]', 'as in `latchkey jwt list`')
    .option('--user <username>', 'all of this user, access tokens too: logout everywhere')
    .action(async (jti: string | undefined, { user: username }: { user?: string }) => {
      if ((jti === undefined) === (username === undefined))
        throw new UsageError(command, 'give a jti or --user, one of them')
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const jwts = jwtsOf(latchkey)
        if (jti !== undefined) {
          if (!(await jwts.revokeById(jti))) throw new CommandError(`there is no live JWT ${jti}`)
          printLine(io, `Revoked JWT ${jti}.`)
        } else {
          const user = await findUser(latchkey, username ?? '')
          await jwts.revokeUser(user)
          printLine(io, `Revoked all JWTs of user ${user.username}.`)
        }
      })
    })
  return withSettings(command)
}

function jwtsOf({ jwts }: Latchkey): JwtService {
  if (jwts === null) throw new CommandError('`jwt` is not in latchkey.config.ts, so there are no JWTs here')
  return jwts
}

const HEADINGS = ['JTI', 'USER', 'STATE', 'ISSUED', 'EXPIRES', 'ENDED'] as const

type State = 'live' | 'exchanged' | 'revoked' | 'expired'

function stateOf({ endedAt, successorJti, expiresAt }: JwtRecord, nowMs: number): State {
  if (endedAt !== null) return successorJti === null ? 'revoked' : 'exchanged'
  return expiresAt.getTime() <= nowMs ? 'expired' : 'live'
}

function cellsOf(
  row: JwtRecord & { readonly user: string | null; readonly state: State },
): readonly string[] {
  const { jti, user, userId, state, issuedAt, expiresAt, endedAt } = row
  return [jti, user ?? `#${userId}`, state, timeText(issuedAt), timeText(expiresAt), timeText(endedAt)]
}

function byIssue(a: JwtRecord, b: JwtRecord): number {
  return a.issuedAt.getTime() - b.issuedAt.getTime() || (a.jti < b.jti ? -1 : 1)
}
