/** Create, change, list and remove users: every rule about accounts. Commands and apps call it; it talks to the user store. */
import type { Clock } from '../clock.js'
import { LatchkeyError } from '../errors.js'
import { type User, type UserId, userIdOf } from '../identity.js'
import { BOOLEAN, checkOptions, checkValue, orNull, type Rules, required, TEXT } from '../options.js'
import type { Passwords } from '../passwords/passwords.js'
import type { UserChanges, UserRecord, UserStore } from '../stores/store.js'
import { emailErrors } from './email.js'
import { toUser } from './user.js'
import { type ImportRow, type ImportUsersOptions, importUsers, type UserImportReport } from './user-import.js'
import { normalizeUsername, usernameErrors } from './username.js'

export interface CreateUserOptions {
  readonly username: string
  /** Default is none: no password can be right, and the user cannot log in with one. */
  readonly password?: string
  /** Default is empty. */
  readonly email?: string
  readonly isActive?: boolean
  readonly isStaff?: boolean
  readonly isSuperuser?: boolean
  /** True: a password that the validators refuse is taken (Django's `create_user`). Default is false. */
  readonly allowWeakPassword?: boolean
}

/** What `users.update` may change. */
export type UserUpdate = Pick<UserChanges, 'username' | 'email' | 'isActive' | 'isStaff' | 'isSuperuser'>

export interface SetPasswordOptions {
  /** Default is false. */
  readonly allowWeakPassword?: boolean
}

export interface UserServiceOptions {
  readonly users: UserStore
  readonly passwords: Passwords
  readonly clock: Clock
  /** Ends the JWTs of a user whose password was set. Default: they stay. */
  readonly endJwts?: (id: UserId) => Promise<void>
}

const CREATE_RULES: Rules<CreateUserOptions> = Object.freeze({
  username: required(TEXT),
  password: TEXT,
  email: TEXT,
  isActive: BOOLEAN,
  isStaff: BOOLEAN,
  isSuperuser: BOOLEAN,
  allowWeakPassword: BOOLEAN,
})

const UPDATE_RULES: Rules<UserUpdate> = Object.freeze({
  username: TEXT,
  email: TEXT,
  isActive: BOOLEAN,
  isStaff: BOOLEAN,
  isSuperuser: BOOLEAN,
})

const PASSWORD = required(orNull(TEXT))

const TAKEN = 'A user with that username already exists.'

export class UserService {
  readonly #users: UserStore
  readonly #passwords: Passwords
  readonly #clock: Clock
  readonly #endJwts: (id: UserId) => Promise<void>

  constructor({ users, passwords, clock, endJwts }: UserServiceOptions) {
    this.#users = users
    this.#passwords = passwords
    this.#clock = clock
    this.#endJwts = endJwts ?? (() => Promise.resolve())
  }

  /** Creates a user. Throws `invalid` with Django's messages for the username, the e-mail address and the password. */
  async create(options: CreateUserOptions): Promise<User> {
    const own = checkOptions('users.create', options, CREATE_RULES)
    const username = normalizeUsername(own.username)
    const { email = '', password, allowWeakPassword = false } = own
    this.#refuse({
      username: usernameErrors(username),
      email: emailErrors(email),
      password:
        password === undefined || allowWeakPassword
          ? []
          : this.#passwords.validate(password, { username, email }),
    })
    if ((await this.#users.findByUsername(username)) !== null) this.#refuse({ username: [TAKEN] })
    const record = await this.#users.insert({
      username,
      email,
      passwordHash:
        password === undefined ? this.#passwords.unusable() : await this.#passwords.hash(password),
      isActive: own.isActive ?? true,
      isStaff: own.isStaff ?? false,
      isSuperuser: own.isSuperuser ?? false,
      dateJoined: new Date(this.#clock.nowMs()),
      lastLogin: null,
    })
    if (record === null) throw new LatchkeyError('invalid', { fields: { username: [TAKEN] } })
    return toUser(record)
  }

  /** A user who may do everything: Django's `createsuperuser`. Throws as `create`. */
  async createSuperuser(options: CreateUserOptions): Promise<User> {
    return this.create({ ...options, isStaff: true, isSuperuser: true })
  }

  /**
   * Imports users with the ids, dates, flags and password hashes that they have elsewhere, in Django for example. Either
   * all of them are there afterwards, or nothing has changed and the report says which rows were refused and why. A user
   * who is there already with the same id and username is left as it is, so the same import can be repeated. Later users
   * get ids above all imported ones. A hash of an unknown format is kept and reported: that user needs a new password.
   *
   * @param rows read once and one after the other: a generator can read a file of any size
   * @throws TypeError for a wrong argument; LatchkeyError `store_unavailable`
   */
  async import(
    rows: Iterable<ImportRow> | AsyncIterable<ImportRow>,
    options: ImportUsersOptions = {},
  ): Promise<UserImportReport> {
    const context = { users: this.#users, passwords: this.#passwords, clock: this.#clock }
    return importUsers(rows, options, context)
  }

  /**
   * Sets a password, or none (`null`: no password can be right). From the moment this resolves sessions and JWTs from
   * before are refused (ASVS 7.4.3; `jwt.revokeOnPasswordChange`); opaque tokens stay, as in DRF. Throws `invalid` with
   * the validators' messages, `not_found` for an unknown user.
   */
  async setPassword(
    user: User | UserId,
    password: string | null,
    options: SetPasswordOptions = {},
  ): Promise<void> {
    checkValue('password', password, PASSWORD)
    checkOptions('users.setPassword', options, { allowWeakPassword: BOOLEAN })
    const record = await this.#require(user)
    if (password !== null && !options.allowWeakPassword) {
      this.#refuse({ password: this.#passwords.validate(password, record) })
    }
    const passwordHash = password === null ? this.#passwords.unusable() : await this.#passwords.hash(password)
    await this.#update(record.id, { passwordHash })
    // After it, so that what the old password got meanwhile ends, too. Where this fails the call does, for a retry.
    await this.#endJwts(record.id)
  }

  /** Lets a user act again. Throws `not_found`. */
  async activate(user: User | UserId): Promise<void> {
    await this.#update(userIdOf(user), { isActive: true })
  }

  /** From the moment this resolves every token and session of the user is refused. Throws `not_found`. */
  async deactivate(user: User | UserId): Promise<void> {
    await this.#update(userIdOf(user), { isActive: false })
  }

  /** Changes names and roles. Throws `invalid` (username, e-mail address), `not_found`. */
  async update(user: User | UserId, changes: UserUpdate): Promise<void> {
    const own = checkOptions('users.update', changes, UPDATE_RULES)
    const { username, email, isActive, isStaff, isSuperuser } = own
    const normalized = username === undefined ? undefined : normalizeUsername(username)
    this.#refuse({
      username: normalized === undefined ? [] : usernameErrors(normalized),
      email: email === undefined ? [] : emailErrors(email),
    })
    await this.#update(userIdOf(user), {
      ...(normalized === undefined ? {} : { username: normalized }),
      ...(email === undefined ? {} : { email }),
      ...(isActive === undefined ? {} : { isActive }),
      ...(isStaff === undefined ? {} : { isStaff }),
      ...(isSuperuser === undefined ? {} : { isSuperuser }),
    })
  }

  /** Removes a user with all tokens and sessions. False when there was none. */
  async delete(user: User | UserId): Promise<boolean> {
    return this.#users.delete(userIdOf(user))
  }

  /** The user with this id, or null. */
  async get(id: UserId): Promise<User | null> {
    return publicOrNull(await this.#users.findById(id))
  }

  /** The user with exactly this username, or null. */
  async findByUsername(username: string): Promise<User | null> {
    return publicOrNull(await this.#users.findByUsername(username))
  }

  /** Users ordered by id. */
  async list(page?: { readonly afterId?: number; readonly limit?: number }): Promise<readonly User[]> {
    return (await this.#users.list(page)).map(toUser)
  }

  async #require(user: User | UserId): Promise<UserRecord> {
    const record = await this.#users.findById(userIdOf(user))
    if (record === null) throw new LatchkeyError('not_found')
    return record
  }

  async #update(id: UserId, changes: UserChanges): Promise<void> {
    const outcome = await this.#users.update(id, changes)
    if (outcome === 'not_found') throw new LatchkeyError('not_found')
    if (outcome === 'username_taken') this.#refuse({ username: [TAKEN] })
  }

  #refuse(fields: Readonly<Record<string, readonly string[]>>): void {
    const wrong = Object.entries(fields).filter(([, messages]) => messages.length > 0)
    if (wrong.length > 0) throw new LatchkeyError('invalid', { fields: Object.fromEntries(wrong) })
  }
}

function publicOrNull(record: UserRecord | null): User | null {
  return record === null ? null : toUser(record)
}
