/**
 * Where records live: the contracts that every store keeps, in words. Services call these; authenticators, views and
 * commands never do. `testStore` of `latchkey/testing` proves a store against every sentence here.
 *
 * For all methods:
 * - one call is one atomic change: after a crash it has happened or it has not, and once the promise resolves it is
 *   durable (the memory store excepted; counters, `recordLogin` and `recordUses` may be lost in a power cut, not in a crash;
 *   sessions and JWTs that have expired may be deleted in steps);
 * - "not found" is `null` (or `false`, or 0 for counts), never an exception;
 * - trouble of any kind (locked, full, read-only, corrupt, unreachable) rejects with `store_unavailable`; it is never
 *   answered with "not found";
 * - records are returned as fresh objects, and records given are not kept;
 * - the store reads no clock: times come with the call;
 * - no method ever sees or returns a usable secret.
 */
import type { User, UserId } from '../identity.js'

/** Everything Latchkey keeps. */
export interface Store {
  readonly users: UserStore
  readonly tokens: TokenStore
  readonly sessions: SessionStore
  readonly loginAddresses: LoginAddressStore
  readonly jwts: JwtStore
  readonly keys: SigningKeyStore
  readonly sealingKeys: SealingKeyStore
  readonly counters: CounterStore
  readonly access: AccessStore
  readonly changes: ChangeFeed
  /** Releases files and connections; the store is not usable after it. Safe to call twice. */
  close(): Promise<void>
}

/**
 * What an operation in progress was based on: the user, and their access version at that time. What is created on that
 * basis is created only while the version is the same.
 */
export interface AccessBasis {
  readonly userId: UserId
  readonly version: number
}

/**
 * How often the access of each user was narrowed: the access version. It is one number per user, whether or not the
 * store has that user; 42 and `'42'` are one user here. It grows, in the same change, with `users.update`, `users.delete`, `jwts.revokeUser`,
 * `tokens.deleteMany` of a user, and `tokens.deleteMany` of a policy (for every user).
 *
 * A method that takes an `AccessBasis` reads the version and inserts as one atomic step, which no narrowing change of that
 * user overlaps: either the insertion is done before it (and what the change deletes is deleted), or it does not happen.
 */
export interface AccessStore {
  /** The version now; 0 where access was never narrowed. Always of the primary, never of a replica. */
  version(userId: UserId): Promise<number>
  /** Adds one, for a user of an app's own table. Publishes `{ kind: 'user' }`. */
  narrow(userId: UserId): Promise<void>
}

/** A user as stored: with the password hash, which no other layer than `users/` and `passwords/` reads. */
export interface UserRecord extends User {
  /** `algorithm$…` as in Django; `!…` for "no password can be right". */
  readonly passwordHash: string
  /**
   * Changes whenever the password is set, and not when a hash is merely upgraded: what a session remembers, so that
   * a password change ends it.
   */
  readonly passwordVersion: number
}

export type NewUserRecord = Omit<UserRecord, 'id' | 'passwordVersion'>

/** Fields that an update may change. A hash upgrade is not among them: that is `recordLogin`. */
export interface UserChanges {
  readonly username?: string
  readonly email?: string
  readonly isActive?: boolean
  readonly isStaff?: boolean
  readonly isSuperuser?: boolean
  readonly lastLogin?: Date | null
  readonly passwordHash?: string
}

/** What a login changes in a user. */
export interface LoginRecord {
  readonly lastLogin?: Date
  /** The hash of the same password in a newer format. Comes with `expectedHash`. */
  readonly passwordHash?: string
  /** The stored hash that the password was verified against. */
  readonly expectedHash?: string
}

/**
 * The users that may log in. An app with its own users table implements just this and gives it to
 * `createLatchkey({ users })`.
 */
export interface UserSource {
  /** The user with this id. */
  findById(id: UserId): Promise<UserRecord | null>
  /** The user with exactly this username: case-sensitive, no normalisation. */
  findByUsername(username: string): Promise<UserRecord | null>
  /**
   * After a login: the new time, and the upgraded hash if there is one. Neither narrows a right: `passwordVersion`
   * stays, and nothing is published. A source may ignore either. `passwordHash` is written only where the stored hash
   * still is `expectedHash`, in the same statement: a password that was set meanwhile must stay.
   */
  recordLogin?(id: UserId, change: LoginRecord): Promise<void>
  /**
   * One stored hash for each algorithm with each of its costs that users have, whoever's: a failed login does the work of
   * each, so that its time does not tell whose password was tried. Those that no password can be right for may be left
   * out. Asked at every failed login. Without it the costs are those of the records that this process has seen.
   */
  samplePasswordHashes?(): Promise<readonly string[]>
}

/** A user as an import brings it: with the id that it has elsewhere. */
export interface ImportedUserRecord extends NewUserRecord {
  /** A whole number from 1. */
  readonly id: number
  /** Where it stands in the source, for the report: `line 7`. */
  readonly at: string
  /** Its number in the source, counted from 0: conflicts are ordered by it. */
  readonly position: number
}

/**
 * Why an id and a username cannot both be kept. `id_taken`: the id is another user's. `username_taken`: the username is
 * that of a user with another id. `id_used`: the id is not above all that this store has given, and is free: it was a
 * deleted user's. `duplicate_id`, `duplicate_username`: an earlier row of the import has it.
 */
export type UserImportReason =
  | 'id_taken'
  | 'username_taken'
  | 'id_used'
  | 'duplicate_id'
  | 'duplicate_username'

export interface UserImportConflict {
  readonly at: string
  readonly position: number
  readonly id: number
  readonly username: string
  readonly reason: UserImportReason
}

export interface UserImportOutcome {
  /** Rows that were inserted, or would have been. */
  readonly created: number
  /** Rows whose id and username are those of one user here already: it is left as it is. */
  readonly unchanged: number
  /** How many rows are in conflict. */
  readonly conflictCount: number
  /** The first of them in the order of the source, at most 100. */
  readonly conflicts: readonly UserImportConflict[]
}

export interface UserImportOptions {
  /** Asked once, after the last batch: whether to insert. False: the outcome says what would have happened. */
  readonly mayInsert: () => boolean
}

export interface UserStore extends UserSource {
  samplePasswordHashes(): Promise<readonly string[]>
  /** Inserts; `null` when the username is taken. Ids grow and are never used again. */
  insert(user: NewUserRecord): Promise<UserRecord | null>
  /**
   * Inserts users with the ids that they bring: all that are not there yet, or none, where one of them is in conflict or
   * `mayInsert` says no. The ids of later inserts are above those of all imported users; ids in between stay unused.
   * Batches are read one after the other, and the store keeps no more than one in memory (the memory store excepted). What
   * a batch rejects with, the call rejects with, and nothing has changed.
   */
  import(
    batches: AsyncIterable<readonly ImportedUserRecord[]>,
    options: UserImportOptions,
  ): Promise<UserImportOutcome>
  /**
   * Changes the named fields in one statement. `passwordHash` also adds one to `passwordVersion`.
   * `'not_found'` without such a user, `'username_taken'` when the new username is another user's.
   * Publishes `{ kind: 'user' }` in the same change.
   */
  update(id: UserId, changes: UserChanges): Promise<'updated' | 'not_found' | 'username_taken'>
  /** Deletes the user with all tokens and sessions. False when there was none. Publishes `{ kind: 'user' }`. */
  delete(id: UserId): Promise<boolean>
  /** Users ordered by id, those with an id above `afterId` (default: all), at most `limit` (default: no limit). */
  list(page?: { readonly afterId?: number; readonly limit?: number }): Promise<readonly UserRecord[]>
}

/** A token as stored. The secret is not in it: a digest to find it, a hint for people, and perhaps it sealed. */
export interface TokenRecord {
  readonly id: number
  /** Name of the token policy that rules it. */
  readonly policy: string
  readonly userId: UserId
  /** SHA-256 of the whole secret, 32 bytes; unique. */
  readonly digest: Uint8Array
  /** Prefix and last four characters, for people. */
  readonly hint: string
  /** The secret under a sealing key, where the policy must show it again; else null. */
  readonly sealed: Uint8Array | null
  readonly name: string
  /** What it may be used for; null: whatever its owner may do. */
  readonly scopes: readonly string[] | null
  /** Addresses and CIDR ranges it may come from; null: any. */
  readonly allowedAddresses: readonly string[] | null
  readonly createdAt: Date
  /** The first instant at which it is no longer valid; null: for ever. */
  readonly expiresAt: Date | null
  /** The secret before the last rotation, which works until `endsAt`; null: there is none. */
  readonly previous: PreviousSecret | null
}

/** A token as it is found by its secret, by whoever holds that: what is sealed is not read. */
export type FoundToken = Omit<TokenRecord, 'sealed'>

/** What is kept of a secret that a rotation replaced. */
export interface PreviousSecret {
  readonly digest: Uint8Array
  readonly hint: string
  readonly endsAt: Date
}

export interface NewTokenRecord extends Omit<TokenRecord, 'id' | 'previous'> {
  /** True: the user may have one token of this policy only; the store enforces it against every race. */
  readonly onePerUser: boolean
  /**
   * How many tokens of this policy the user may have that expire, and have not at `createdAt`; null: any number.
   * Tokens that never expire do not count (knox's rule). The store enforces it against every race.
   */
  readonly limitPerUser: number | null
}

/**
 * `created`: inserted. `existing`: `onePerUser`, and the user has this one. `limit_reached`: `limitPerUser`, and there is
 * no room. `digest_taken`: the secret is another token's. `no_user`: the user does not exist, any more or yet. `stale`:
 * access was narrowed since the basis was taken, so nothing is inserted and nothing shown.
 */
export type TokenInsertion =
  | { readonly kind: 'created' | 'existing'; readonly token: TokenRecord }
  | { readonly kind: 'limit_reached' | 'digest_taken' | 'no_user' | 'stale' }

/** Which of the expired tokens: the one with this id, or those with an id above `afterId`, at most `limit`. */
export type ExpiredTokens = { readonly id: number } | { readonly afterId: number; readonly limit: number }

export interface TokenFilter {
  /** Exactly this id, or one of these, of which there is at least one. */
  readonly userId?: UserId | readonly UserId[]
  readonly policy?: string
  /** Exactly this hint, of the secret or of the previous one. */
  readonly hint?: string
}

/** Fields that an update may change. */
export interface TokenChanges {
  readonly name?: string
  readonly scopes?: readonly string[] | null
  readonly allowedAddresses?: readonly string[] | null
  readonly expiresAt?: Date | null
}

export interface TokenRotation {
  /** The digest of the secret that is replaced: of concurrent rotations one wins. */
  readonly expected: Uint8Array
  readonly digest: Uint8Array
  readonly hint: string
  readonly sealed: Uint8Array | null
  /** A new expiry; left out, it stays what it is at that moment. */
  readonly expiresAt?: Date | null
  /** Until when the replaced secret works too. */
  readonly previousEndsAt: Date
}

/** How much one secret of a token was used. */
export interface TokenUse {
  readonly tokenId: number
  /** Which of its secrets. */
  readonly digest: Uint8Array
  readonly count: number
  readonly lastUsedAt: Date
  /** Where the last use came from; null: not known. */
  readonly lastUsedAddress: string | null
}

export interface TokenStore {
  /**
   * The token with this digest, or whose previous secret has it, and, when users live in this store, its user. One
   * statement. Expired tokens and tokens of inactive users are returned: the service judges.
   */
  findByDigest(digest: Uint8Array): Promise<{ token: FoundToken; user: UserRecord | null } | null>
  findById(id: number): Promise<TokenRecord | null>
  /**
   * Inserts, unless a rule says no: see `TokenInsertion`. With `onePerUser`, of any number of concurrent callers, in any
   * number of processes, one creates and all get the same record. With `limitPerUser`, any number of them create no
   * more than there is room for: counting and inserting are one atomic step. With a basis: see `AccessStore`.
   */
  insertOrGet(token: NewTokenRecord, basis?: AccessBasis): Promise<TokenInsertion>
  /**
   * Gives a token a new `expiresAt`, if it is still there and still expires at `expected`. One conditional statement:
   * it never brings a deleted token back, and of concurrent callers one wins. False when it changed nothing.
   * Publishes `{ kind: 'token' }`.
   */
  renew(id: number, expected: Date, expiresAt: Date): Promise<boolean>
  /** Changes the named fields in one statement. False without such a token. Publishes `{ kind: 'token' }`. */
  update(id: number, changes: TokenChanges): Promise<boolean>
  /**
   * Replaces the secret in one conditional statement: the one with `expected` becomes `previous`, and what was `previous`
   * is gone. Null when the token is gone or its secret is another one already. Publishes `{ kind: 'token' }`.
   */
  rotate(id: number, rotation: TokenRotation): Promise<TokenRecord | null>
  /** Forgets the previous secret, if it has this digest. False when it has not. Publishes `{ kind: 'token' }`. */
  dropPrevious(id: number, digest: Uint8Array): Promise<boolean>
  /**
   * Adds uses to what is known of these secrets: counts are summed, and the latest time counts with its address. All of
   * them or none; secrets of tokens that are gone are left out. Narrows no right, and publishes nothing.
   */
  recordUses(uses: readonly TokenUse[]): Promise<void>
  /** The uses of these tokens, by secret; nothing for secrets that were never used. They go with their secret. */
  listUses(tokenIds: readonly number[]): Promise<readonly TokenUse[]>
  /**
   * Deletes one token. False when there was none. Publishes `{ kind: 'token' }` in the same change, here and below for
   * both secrets where there are two.
   */
  delete(id: number): Promise<boolean>
  /** Deletes all tokens that fit; returns how many. Publishes `{ kind: 'token' }` for each. */
  deleteMany(filter: TokenFilter): Promise<number>
  /**
   * Deletes tokens that have expired at `now`, ordered by id, and returns them: of concurrent callers one gets each.
   * One that was renewed meanwhile stays. Publishes `{ kind: 'token' }` for each.
   */
  deleteExpired(now: Date, which: ExpiredTokens): Promise<readonly TokenRecord[]>
  /** Tokens that fit, ordered by id, those with an id above `afterId`, at most `limit`. */
  list(
    filter: TokenFilter,
    page?: { readonly afterId?: number; readonly limit?: number },
  ): Promise<readonly TokenRecord[]>
  /** Replaces `sealed`, if it still is `expected` (compare and swap). False when it was not. */
  reseal(id: number, expected: Uint8Array, sealed: Uint8Array): Promise<boolean>
}

/** A browser's cookie login. */
export interface SessionRecord {
  /** SHA-256 of the cookie's value, 32 bytes; unique. */
  readonly digest: Uint8Array
  readonly userId: UserId
  /** The user's `passwordVersion` at login; another one later means: this session is over. */
  readonly passwordVersion: number
  readonly createdAt: Date
  readonly expiresAt: Date
}

export interface SessionStore {
  /**
   * True: inserted. False, and nothing is inserted: access was narrowed since the basis was taken (see `AccessStore`).
   * Rejects when the digest is taken or the user does not exist: callers make fresh secrets for users they have read.
   */
  insert(session: SessionRecord, basis?: AccessBasis): Promise<boolean>
  /** The session with this digest and, when users live in this store, its user. One statement. */
  findByDigest(digest: Uint8Array): Promise<{ session: SessionRecord; user: UserRecord | null } | null>
  /**
   * Gives a session a new `expiresAt`, if it is still there and still expires at `expected`. One conditional statement: it
   * never brings a deleted session back, and of concurrent callers one wins. False when it changed nothing.
   */
  renew(digest: Uint8Array, expected: Date, expiresAt: Date): Promise<boolean>
  /** False when there was none. */
  delete(digest: Uint8Array): Promise<boolean>
  /** Deletes the sessions that ended before `now`; returns how many. */
  deleteExpired(now: Date): Promise<number>
}

/** An address from which a user logged in. Neither can be read from it: the digest is keyed with the server's secret. */
export interface LoginAddressRecord {
  /** HMAC-SHA-256 of the user's id and the address, 32 bytes; unique. */
  readonly digest: Uint8Array
  readonly userId: UserId
  readonly expiresAt: Date
}

export interface LoginAddressStore {
  /**
   * Inserts the address, or gives the one with this digest the new `expiresAt`. Then deletes the user's other addresses
   * except the `keep - 1` that expire last; concurrent calls may leave more until the next call. Does nothing when the
   * user does not exist. Deleted with the user.
   */
  note(address: LoginAddressRecord, keep: number): Promise<void>
  /** Whether an address with one of these digests is stored and expires after `now`. */
  isKnown(digests: readonly Uint8Array[], now: Date): Promise<boolean>
  /** Deletes the addresses that expired before `now`; returns how many. */
  deleteExpired(now: Date): Promise<number>
}

/** What is kept of a refresh or sliding JWT: enough to revoke it, and nothing that is a token. */
export interface JwtRecord {
  readonly jti: string
  /** The `jti` of the login that the token descends from: reuse of any member ends them all. */
  readonly family: string
  readonly userId: UserId
  readonly issuedAt: Date
  /** After this moment the record means nothing any more. */
  readonly expiresAt: Date
  /** When it was exchanged for its successor, or revoked; null: live. */
  readonly endedAt: Date | null
  /** The `jti` that it was exchanged for; null: it was not exchanged. */
  readonly successorJti: string | null
}

export interface NewJwtRecord extends Omit<JwtRecord, 'endedAt' | 'successorJti'> {
  /** When the login was that it descends from; default: its own `issuedAt`. */
  readonly familyStartedAt?: Date
}

export interface JwtRotation {
  /** The token that was presented. Tokens of another issuer with the same key are not known yet: they start a family. */
  readonly presented: NewJwtRecord
  readonly successor: Omit<NewJwtRecord, 'family'>
  readonly now: Date
  /** How long after its exchange a token is answered with the same successor again. */
  readonly graceSeconds: number
}

/**
 * `rotated`: this caller was the first, and the successor counts. `repeated`: somebody was first, a moment ago: the
 * successor is theirs, issued at `issuedAt`. `reused`: long after; the whole family has ended with this call.
 * `ended`: it was revoked, or what it was exchanged for has: a member of its family ended without a successor, or
 * everything of its user did after the exchange. So, too, for a token that was not known, when everything of its user
 * was revoked at its `issuedAt` or later: nothing is written then. `stale`: access was narrowed since the basis was
 * taken; nothing is written then either.
 */
export type JwtRotationOutcome =
  | { readonly kind: 'rotated' }
  | { readonly kind: 'repeated'; readonly successorJti: string; readonly issuedAt: Date }
  | { readonly kind: 'reused' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'stale' }

export interface JwtState {
  /** null: not known, as access tokens are. */
  readonly known: 'live' | 'ended' | null
  /** Tokens of the user that were issued before this moment and are not known to be live have ended. */
  readonly notBefore: Date | null
}

/** Ids that are written alike name one user here, as claims spell them: 42 and `'42'`, also in rows of earlier versions. */
export interface JwtStore {
  /**
   * Notes issued tokens; of one whose `jti` is known only `expiresAt` changes, to the later of both. False, and nothing is
   * noted: access was narrowed since the basis was taken (see `AccessStore`).
   */
  insert(records: readonly NewJwtRecord[], basis?: AccessBasis): Promise<boolean>
  find(jti: string): Promise<JwtRecord | null>
  /** When the login was that a known token descends from, through all rotations; null: the token is not known. */
  familyStart(jti: string): Promise<Date | null>
  /** Records of a user, or of all, ordered by `jti` as the store compares texts, those after `afterJti`, at most `limit`. */
  list(
    filter: { readonly userId?: UserId },
    page?: { readonly afterJti?: string; readonly limit?: number },
  ): Promise<readonly JwtRecord[]>
  /**
   * Exchanges a token for its successor. Of any number of concurrent callers, in any number of processes, one is told
   * `rotated`; the others `repeated` within the grace, else `reused`. Publishes `{ kind: 'jwt' }` for all that ended.
   * The successor takes over family and `familyStart`. With a basis: see `AccessStore`.
   */
  rotate(rotation: JwtRotation, basis?: AccessBasis): Promise<JwtRotationOutcome>
  /** Ends one token, known or not. False when it had ended already. Publishes `{ kind: 'jwt' }`. */
  revoke(record: NewJwtRecord, now: Date): Promise<boolean>
  /**
   * Ends everything of a user that was issued before `now`: what is known, and access tokens, which are not, by
   * `notBefore`. Publishes `{ kind: 'user' }`.
   */
  revokeUser(userId: UserId, now: Date): Promise<void>
  /** What decides about a presented token: whether it is known, and since when tokens of the user count. One statement. */
  state(jti: string, userId: UserId): Promise<JwtState>
  /** Removes records that mean nothing any more; returns how many. */
  deleteExpired(now: Date): Promise<number>
}

/** A key that signs JWTs, as stored: the public half in clear, the private half sealed. */
export interface SigningKeyRecord {
  /** What tokens name it by; unique. */
  readonly kid: string
  readonly algorithm: string
  /** The public half: a JWK as JSON text. */
  readonly publicJwk: string
  /** The private half under a sealing key; null: it is gone, and the key signs nothing any more. */
  readonly sealed: Uint8Array | null
  readonly createdAt: Date
  /** It signs from this moment on, until another key does that is active from a later one. */
  readonly activeFrom: Date
  /** Its tokens are refused from this moment on; null: it has no end yet. */
  readonly retiresAt: Date | null
}

/**
 * `retired`: refused from now on. `not_found`: there is no such key, or it had retired. `needed`: no other key signs at
 * `now` that has no end, so nothing was changed.
 */
export type KeyRetirement = 'retired' | 'not_found' | 'needed'

export interface SigningKeyStore {
  /**
   * Inserts a key, and gives keys without an end that became active no later than it the end `predecessorsRetireAt`
   * (null: they have none). False, and nothing changed, when the `kid` is taken. Publishes `{ kind: 'keys' }`.
   */
  insert(key: SigningKeyRecord, predecessorsRetireAt: Date | null): Promise<boolean>
  /** All keys, ordered by `activeFrom`, then `createdAt`, then `kid`. */
  list(): Promise<readonly SigningKeyRecord[]>
  /**
   * Ends a key at `now` and removes its private half, unless it is needed: see `KeyRetirement`. Of concurrent callers
   * at least one key stays that signs. Publishes `{ kind: 'keys' }`.
   */
  retire(kid: string, now: Date): Promise<KeyRetirement>
  /** Replaces `sealed`, if it still is `expected` (compare and swap). False when it was not. Publishes nothing. */
  reseal(kid: string, expected: Uint8Array, sealed: Uint8Array): Promise<boolean>
  /** Removes keys whose end has come at `now`; returns how many. Publishes `{ kind: 'keys' }` when there were any. */
  deleteRetired(now: Date): Promise<number>
}

/**
 * Which keys seal the records of this store, by their ids (8 hex digits): a process with another secret is refused
 * before it seals anything that the others could not open.
 */
export interface SealingKeyStore {
  /** Ids of the keys that may seal, in ascending order. */
  list(): Promise<readonly string[]>
  /**
   * Whether `id` may seal. It is admitted when there is none yet, or when one of `held`, the keys of the same process,
   * was admitted before. One atomic step: of concurrent first callers with different keys one is admitted.
   * Publishes `{ kind: 'keys' }` when it was not admitted before.
   */
  admit(id: string, held: readonly string[]): Promise<boolean>
  /** Removes all but these; returns how many. Publishes `{ kind: 'keys' }` when there were any. */
  retain(ids: readonly string[]): Promise<number>
}

export interface CounterLimit {
  readonly maxCount: number
  readonly periodSeconds: number
}

/** So many events at one moment. */
export interface CounterEvents {
  readonly atMs: number
  readonly count: number
}

/** What one process allowed under a key since it last told. */
export interface CounterNews {
  readonly key: string
  readonly limit: CounterLimit
  readonly events: readonly CounterEvents[]
}

/** How often things happened lately: the memory of throttles. */
export interface CounterStore {
  /**
   * Records one event under `key` at `nowMs`, unless `maxCount` events lie within the last `periodSeconds` already:
   * then nothing is recorded. Exact under concurrency, across the processes that share the store: never more than
   * `maxCount` events are allowed within any `periodSeconds`.
   * `waitSeconds`: how long until one more would be allowed; 0 while there is room.
   */
  hit(key: string, limit: CounterLimit, nowMs: number): Promise<{ allowed: boolean; waitSeconds: number }>
  /** As `hit`, but records nothing: whether one more event would be allowed. */
  peek(key: string, limit: CounterLimit, nowMs: number): Promise<{ allowed: boolean; waitSeconds: number }>
  /**
   * Records events that were allowed already, however many there are, and answers with what it then knows of each key,
   * in the batch's order: the events less than a period before or after `nowMs`, oldest first and those of one moment
   * together; of them only the youngest that it takes to reach `maxCount`. `hit` and `peek` count them like their own.
   * The batch is one atomic change; after a rejection it may have been recorded all the same.
   */
  merge(batch: readonly CounterNews[], nowMs: number): Promise<ReadonlyArray<readonly CounterEvents[]>>
  /** Removes one event that `hit` recorded under `key` at `atMs`. Does nothing when there is none. */
  undo(key: string, atMs: number): Promise<void>
  /** Forgets the key. */
  clear(key: string): Promise<void>
}

/** What changed: a verified cache drops what is named. `all` when the store cannot say. */
export type Change =
  | { readonly kind: 'token'; readonly digest: Uint8Array }
  | { readonly kind: 'user'; readonly userId: UserId }
  | { readonly kind: 'jwt'; readonly jti: string }
  | { readonly kind: 'keys' }
  | { readonly kind: 'all' }

/**
 * How a verified cache learns that a right was narrowed. Every change that can narrow a right is published: token
 * and user deletions and updates.
 */
export interface ChangeFeed {
  /**
   * Listeners are called synchronously, after the change is durable and before the changing call resolves.
   * Returns the way to stop listening.
   */
  subscribe(listener: (change: Change) => void): () => void
  /**
   * Called before an answer from memory: publishes, synchronously, what other processes changed before this call
   * (SQLite: what the `changes` table names, when `PRAGMA data_version` moved). Cheap: one look serves all calls of a
   * turn of the event loop. Throws `store_unavailable` when it cannot look. A store that hears of others by itself may
   * know of changes only after a bounded time, its lease; while it cannot say what it missed, each call publishes `all`.
   */
  catchUp(): void
}
