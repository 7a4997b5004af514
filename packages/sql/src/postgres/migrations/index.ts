/** What the migrations do on PostgreSQL, under the names that they have everywhere. */
import type { MIGRATIONS as EVERYWHERE } from '../../migrations/index.js'
import * as initial from './0001-initial.js'
import * as jwts from './0002-jwts.js'
import * as personalTokens from './0003-personal-tokens.js'
import * as signingKeys from './0004-signing-keys.js'
import * as counterCounts from './0005-counter-counts.js'
import * as sealingKeys from './0006-sealing-keys.js'
import * as accessVersions from './0007-access-versions.js'
import * as loginAddresses from './0008-login-addresses.js'
import * as triggerSettings from './0009-trigger-settings.js'

/** The text of one, for a schema that comes first in the search path. */
type PostgresMigration = (schema: string) => string

/** By the names of `migrations/index.ts`: one that is added there and forgotten here does not compile. */
export const MIGRATIONS: Readonly<Record<keyof typeof EVERYWHERE, PostgresMigration>> = {
  '0001-initial': initial.up,
  '0002-jwts': jwts.up,
  '0003-personal-tokens': personalTokens.up,
  '0004-signing-keys': signingKeys.up,
  '0005-counter-counts': counterCounts.up,
  '0006-sealing-keys': sealingKeys.up,
  '0007-access-versions': accessVersions.up,
  '0008-login-addresses': loginAddresses.up,
  '0009-trigger-settings': triggerSettings.up,
}
