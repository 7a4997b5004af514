/** Records and directories for the tests of this package. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NewTokenRecord, NewUserRecord, Store, TokenRecord, UserId, UserRecord } from 'latchkey'
import { onTestFinished } from 'vitest'

/** The path of a database that does not exist yet, in a directory that goes away with the test. */
export function newPath(): string {
  return join(newDirectory(), 'latchkey.db')
}

export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'latchkey-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

export function newUser(username = 'vitor'): NewUserRecord {
  return {
    username,
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(1000),
    lastLogin: null,
    passwordHash: '!',
  }
}

export function newToken(
  userId: UserId,
  number: number,
  fields: Partial<NewTokenRecord> = {},
): NewTokenRecord {
  return {
    policy: 'knox',
    userId,
    digest: digestOf(number),
    hint: '',
    sealed: null,
    name: '',
    scopes: null,
    allowedAddresses: null,
    createdAt: new Date(1000),
    expiresAt: null,
    onePerUser: false,
    limitPerUser: null,
    ...fields,
  }
}

export function digestOf(number: number): Uint8Array {
  const digest = Buffer.alloc(32)
  digest.writeUInt32BE(number)
  return digest
}

export async function insertUser(store: Store, username = 'vitor'): Promise<UserRecord> {
  const user = await store.users.insert(newUser(username))
  if (!user) throw new Error('the username is taken')
  return user
}

export async function insertToken(store: Store, token: NewTokenRecord): Promise<TokenRecord> {
  const outcome = await store.tokens.insertOrGet(token)
  if (outcome.kind !== 'created') throw new Error(`the token was not inserted: ${outcome.kind}`)
  return outcome.token
}
