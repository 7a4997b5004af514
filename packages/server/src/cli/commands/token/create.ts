/** `latchkey token create USER`: a token of any policy, printed alone. */
import { Command } from 'commander'
import { AUTHTOKEN, type TokenPolicy } from 'latchkey'
import { durationOption } from '../../durations.js'
import { findUser } from '../../find-user.js'
import { withLatchkey } from '../../open.js'
import { type Io, note, printJson, printLine } from '../../output.js'
import { loadSettings, withSettings } from '../../session.js'
import { findPolicy, resetOrGet, type TokenWishes, tokenJson } from '../../tokens.js'
import { UsageError } from '../../usage.js'

interface CreateFlags {
  readonly policy: string
  readonly reset?: boolean
  readonly name?: string
  readonly scope?: readonly string[]
  readonly allowAddress?: readonly string[]
  readonly expiresIn?: Lifetime
  readonly json?: boolean
}

export function createCommand(io: Io): Command {
  const command = new Command('create')
    .description("issue a token and print it; of a policy with one per user, print the user's")
    .argument('<username>', 'whose token')
    .option('--policy <name>', 'kind of token', AUTHTOKEN.name)
    .option('-r, --reset', 'where users have one: revoke it and issue a new one')
    .option('--name <name>', 'a label for a new token')
    .option('--scope <scope>', 'what it may be used for; repeatable (default: what its owner may)', collect)
    .option(
      '--allow-address <address>',
      'address or range it may come from; repeatable (default: any)',
      collect,
    )
    .addOption(expiresInOption("default: the policy's"))
    .option('--json', 'print one JSON document')
    .action(async (username: string, flags: CreateFlags) => {
      const settings = await loadSettings(io, command)
      await withLatchkey(io, settings, async ({ latchkey }) => {
        const policy = findPolicy(settings, flags.policy)
        const isShared = isOnePerUser(policy)
        const { reset = false, json } = flags
        if (reset && !isShared)
          throw new UsageError(
            command,
            `--reset: users have many tokens of ${policy.name}: see \`latchkey token rotate\``,
          )
        const user = await findUser(latchkey, username)
        const wishes = wishesOf(flags)
        const { token, secret, created } = isShared
          ? await resetOrGet(latchkey, user, { reset, policy: policy.name, ...wishes })
          : { ...(await latchkey.tokens.issue({ user, policy: policy.name, ...wishes })), created: true }
        if (!created && Object.keys(wishes).length > 0)
          note(io, `${username} has a token already: it stays as it is.`)
        if (json) printJson(io, { ...tokenJson(token, username), created, token: secret.reveal() })
        else printLine(io, secret.reveal())
      })
    })
  return withSettings(command)
}

/** What `--expires-in` gives. */
export type Lifetime = number | 'never'

/** `--expires-in` as services take it. */
export function ttlOf(lifetime: Lifetime | undefined): Pick<TokenWishes, 'ttlSeconds'> {
  return lifetime === undefined ? {} : { ttlSeconds: lifetime === 'never' ? null : lifetime }
}

/** `--expires-in`, here and for a rotation. */
export function expiresInOption(fallback: string) {
  const description = `90d, 12h, 30m, 45s, seconds, or never (${fallback})`
  return durationOption('--expires-in <duration>', description, { min: 1, words: ['never'] })
}

function isOnePerUser({ onePerUser, shownAgain }: TokenPolicy): boolean {
  return onePerUser && shownAgain
}

function wishesOf({ name, scope, allowAddress, expiresIn }: CreateFlags): TokenWishes {
  return {
    ...(name !== undefined && { name }),
    ...(scope !== undefined && { scopes: scope }),
    ...(allowAddress !== undefined && { allowedAddresses: allowAddress }),
    ...ttlOf(expiresIn),
  }
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
