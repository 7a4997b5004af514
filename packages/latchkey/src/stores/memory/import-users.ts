/** Which rows of an import the memory store can insert. */
import type { UserId } from '../../identity.js'
import type {
  ImportedUserRecord,
  UserImportConflict,
  UserImportOutcome,
  UserImportReason,
  UserRecord,
} from '../store.js'

interface Existing {
  readonly byId: ReadonlyMap<UserId, UserRecord>
  readonly byName: ReadonlyMap<string, UserId>
  /** The highest id that was ever given. */
  readonly lastId: number
}

const MAX_CONFLICTS = 100

export function importOutcome(rows: readonly ImportedUserRecord[], existing: Existing): UserImportOutcome {
  const ids = new Set<number>()
  const names = new Set<string>()
  const conflicts: UserImportConflict[] = []
  let created = 0
  let unchanged = 0
  for (const { at, position, id, username } of rows) {
    const duplicate = ids.has(id) ? 'duplicate_id' : names.has(username) ? 'duplicate_username' : null
    const reason = duplicate ?? reasonAgainst(id, username, existing)
    ids.add(id)
    names.add(username)
    if (reason !== null) conflicts.push({ at, position, id, username, reason })
    else if (existing.byId.has(id)) unchanged += 1
    else created += 1
  }
  return { created, unchanged, conflictCount: conflicts.length, conflicts: conflicts.slice(0, MAX_CONFLICTS) }
}

function reasonAgainst(
  id: number,
  username: string,
  { byId, byName, lastId }: Existing,
): UserImportReason | null {
  const owner = byId.get(id)
  if (owner !== undefined && owner.username !== username) return 'id_taken'
  if ((byName.get(username) ?? id) !== id) return 'username_taken'
  return owner === undefined && id <= lastId ? 'id_used' : null
}
