/** `latchkey token rotate` and `latchkey token finish-rotation`: a new secret, and the end of the old one. */
import { Command } from 'commander'
import { isLatchkeyError } from 'latchkey'
import { durationOption } from '../../durations.js'
import { withLatchkey, withoutSealing } from '../../open.js'
import { CommandError, type Io, note, printJson, printLine, timeText } from '../../output.js'
import { loadSettings, withSettings } from '../../session.js'
import { findPolicy, findToken, tokenJson } from '../../tokens.js'
import { expiresInOption, type Lifetime, ttlOf } from './create.js'

interface RotateFlags {
  readonly overlap: number
  readonly expiresIn?: Lifetime
  readonly json?: boolean
}

export function rotateCommand(io: Io): Command {
  const command = new Command('rotate')
    .description('give a token a new secret and print it; the old one works on for a while')
    .argument('<id>', 'as in `latchkey token list`')
    .addOption(
      durationOption('--overlap <duration>', 'how long the old secret works on; 0: not at all', {
        min: 0,
      }).default(86_400, '1d'),
    )
    .addOption(expiresInOption('default: as it is'))
    .option('--json', 'print one JSON document')
    .action(async (id: string, { overlap, expiresIn, json }: RotateFlags) => {
      const settings = await loadSettings(io, command)
      await withLatchkey(io, settings, async ({ latchkey }) => {
        const before = await findToken(latchkey, id)
        findPolicy(settings, before.policy)
        const nowMs = latchkey.clock.nowMs()
        if (before.expiresAt !== null && before.expiresAt.getTime() <= nowMs)
          throw new CommandError(`token ${id} has expired: issue a new one`)
        const { token, secret } = await latchkey.tokens.rotate(before, {
          overlapSeconds: overlap,
          ...ttlOf(expiresIn),
        })
        if (json) {
          const username = (await latchkey.users.get(token.userId))?.username
          printJson(io, { ...tokenJson(token, username), token: secret.reveal() })
        } else printLine(io, secret.reveal())
        const { previous } = before
        if (previous !== null && previous.endsAt.getTime() > nowMs)
          note(io, `${previous.hint}, from the rotation before, is refused from now on.`)
        const end =
          overlap === 0 ? 'is refused from now on' : `works until ${timeText(token.previous?.endsAt ?? null)}`
        note(io, `${before.hint} ${end}.`)
      })
    })
  return withSettings(command)
}

export function finishRotationCommand(io: Io): Command {
  const command = new Command('finish-rotation')
    .description(
      'refuse the old secret of a rotated token from now on, unless it was used within the last hour',
    )
    .argument('<id>', 'as in `latchkey token list`')
    .option('--force', 'also while somebody uses it')
    .action(async (id: string, { force = false }: { force?: boolean }) => {
      await withoutSealing(io, await loadSettings(io, command), async ({ latchkey }) => {
        const { previous, ...token } = await findToken(latchkey, id)
        const finished = await latchkey.tokens
          .finishRotation(token.id, { ifQuiet: !force })
          .catch((error: unknown) => {
            if (!isLatchkeyError(error, 'conflict')) throw error
            throw new CommandError(`${error.publicMessage} --force ends it all the same.`, { cause: error })
          })
        if (finished) printLine(io, `${previous?.hint} is refused from now on.`)
        else note(io, `Token ${id} has no old secret.`)
      })
    })
  return withSettings(command)
}
