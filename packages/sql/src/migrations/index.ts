/** All migrations in their order, listed by hand so that bundlers see them. */
import type { Migration } from 'kysely'
import * as initial from './0001-initial.js'
import * as jwts from './0002-jwts.js'
import * as personalTokens from './0003-personal-tokens.js'
import * as signingKeys from './0004-signing-keys.js'
import * as counterCounts from './0005-counter-counts.js'
import * as sealingKeys from './0006-sealing-keys.js'
import * as accessVersions from './0007-access-versions.js'
import * as loginAddresses from './0008-login-addresses.js'
import * as triggerSettings from './0009-trigger-settings.js'

export const MIGRATIONS = {
  '0001-initial': initial,
  '0002-jwts': jwts,
  '0003-personal-tokens': personalTokens,
  '0004-signing-keys': signingKeys,
  '0005-counter-counts': counterCounts,
  '0006-sealing-keys': sealingKeys,
  '0007-access-versions': accessVersions,
  '0008-login-addresses': loginAddresses,
  '0009-trigger-settings': triggerSettings,
} satisfies Readonly<Record<string, Migration>>
