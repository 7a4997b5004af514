import { setImmediate } from 'node:timers/promises'
import type { Change } from 'latchkey'
import { testStore } from 'latchkey/testing'
import { describe, expect, it } from 'vitest'
import { digestOf, insertToken, insertUser, newPath, newToken } from '../../test/samples.js'
import { Connection } from './connection.js'
import { Database } from './driver.js'
import { checkedOptions, type SqliteOptions, sqlite, storeOn } from './sqlite.js'

testStore('sqlite(file)', () => sqlite(newPath()), { describe, it })
testStore(`sqlite(':memory:')`, () => sqlite(':memory:'), { describe, it })

describe('sqlite(path)', () => {
  it('keeps everything in the file', async () => {
    const path = newPath()
    const first = sqlite(path)
    const user = await insertUser(first)
    const token = await insertToken(first, newToken(user.id, 1))
    await first.counters.hit('key', { maxCount: 1, periodSeconds: 10 }, 1000)
    await first.close()
    const second = sqlite(path)
    const { sealed, ...found } = token
    expect(await second.tokens.findByDigest(digestOf(1))).toEqual({ token: found, user })
    expect(await second.counters.peek('key', { maxCount: 1, periodSeconds: 10 }, 1000)).toMatchObject({
      allowed: false,
    })
    await second.close()
  })

  it('finds a token or a session and its user with one statement, and catches up with none', async () => {
    const store = sqlite(newPath())
    const user = await insertUser(store)
    await store.tokens.insertOrGet(newToken(user.id, 1))
    const dates = { createdAt: new Date(0), expiresAt: new Date(1) }
    await store.sessions.insert({ digest: digestOf(2), userId: user.id, passwordVersion: 0, ...dates })
    const before = store.statementCount
    await store.tokens.findByDigest(digestOf(1))
    expect(store.statementCount - before).toBe(1)
    await store.sessions.findByDigest(digestOf(2))
    expect(store.statementCount - before).toBe(2)
    store.changes.catchUp()
    expect(store.statementCount - before).toBe(2)
    await store.close()
  })

  it('refuses a wrong option with a TypeError that names it', () => {
    const wrong: ReadonlyArray<readonly [name: string, value: unknown]> = [
      ['busyTimeoutMs', -1],
      ['busyTimeoutMs', '5s'],
      ['synchronous', 'off'],
      ['externalUsers', 1],
      ['migrate', 'yes'],
      ['busyTimeout', 5],
    ]
    for (const [name, value] of wrong) {
      const options: SqliteOptions = { [name]: value }
      expect(() => sqlite(newPath(), options)).toThrow(TypeError)
      expect(() => sqlite(newPath(), options)).toThrow(name)
    }
    expect(() => sqlite('')).toThrow(TypeError)
  })

  it('shares the file through a WAL and syncs every commit to the disk, unless told otherwise', () => {
    const pragmasOf = (options: SqliteOptions) => {
      const { database } = new Connection(newPath(), checkedOptions(options))
      const names = ['journal_mode', 'foreign_keys', 'synchronous', 'busy_timeout']
      return names.map((name) => database.pragma(name, { simple: true }))
    }
    expect(pragmasOf({})).toEqual(['wal', 1, 2, 5000])
    expect(pragmasOf({ synchronous: 'normal', busyTimeoutMs: 7, externalUsers: true })).toEqual([
      'wal',
      0,
      1,
      7,
    ])
  })

  it('waits for the disk again after a relaxed commit, also after one that failed', async () => {
    const connection = new Connection(newPath(), checkedOptions({}))
    await connection.migrate()
    const store = storeOn(connection)
    const user = await insertUser(store)
    const synchronous = () => connection.database.pragma('synchronous', { simple: true })
    await store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 0)
    await store.counters.clear('key')
    await store.users.recordLogin?.(user.id, { lastLogin: new Date(0) })
    expect(synchronous()).toBe(2)
    const fail = () => {
      expect(synchronous()).toBe(1)
      throw new Error('failed')
    }
    expect(() => connection.relaxed(fail)).toThrow('failed')
    expect(synchronous()).toBe(2)
    await store.close()
  })

  it('prunes the counters of keys that nobody uses any more', async () => {
    const path = newPath()
    const store = sqlite(path)
    const limit = { maxCount: 5, periodSeconds: 1 }
    for (let key = 0; key < 100; key += 1) await store.counters.hit(`key ${key}`, limit, key)
    for (let hit = 0; hit < 10; hit += 1) await store.counters.hit(`later ${hit}`, limit, 1_000_000)
    await store.close()
    const database = new Database(path)
    expect(database.prepare('SELECT count(*) FROM counter_events').pluck().get()).toBe(10)
    database.close()
  })

  it('keeps one row per key and moment of what processes tell it, and prunes as many as come', async () => {
    const path = newPath()
    const store = sqlite(path)
    const limit = { maxCount: 1000, periodSeconds: 1 }
    const merge = (prefix: string, atMs: number) =>
      store.counters.merge(
        Array.from({ length: 500 }, (_, key) => ({
          key: `${prefix}${key}`,
          limit,
          events: [{ atMs, count: 9 }],
        })),
        atMs,
      )
    for (let time = 0; time < 5; time += 1) await merge('key ', 0)
    const rows = () => {
      const database = new Database(path)
      const count = database.prepare('SELECT count(*) FROM counter_events').pluck().get()
      database.close()
      return count
    }
    expect(rows()).toBe(500)
    expect(await merge('key ', 0)).toEqual(Array.from({ length: 500 }, () => [{ atMs: 0, count: 54 }]))
    await merge('later ', 1_000_000)
    expect(rows()).toBe(500)
    await store.close()
  })
})

describe('sqlite(path, { externalUsers: true })', () => {
  it('keeps ids of the app as they are, and never joins its own users to them', async () => {
    const store = sqlite(newPath(), { externalUsers: true })
    await insertUser(store)
    const ids = [1, '1', '007', '3f2a-ünï', 2 ** 40, 'e\u0301']
    for (const [number, userId] of ids.entries()) {
      expect(await store.tokens.insertOrGet(newToken(userId, number, { onePerUser: true }))).toMatchObject({
        kind: 'created',
        token: { userId },
      })
      const dates = { createdAt: new Date(0), expiresAt: new Date(1) }
      await store.sessions.insert({ digest: digestOf(number), userId, passwordVersion: 0, ...dates })
    }
    for (const [number, userId] of ids.entries()) {
      expect(await store.tokens.list({ userId })).toHaveLength(1)
      expect(await store.tokens.findByDigest(digestOf(number))).toMatchObject({
        token: { userId },
        user: null,
      })
      expect(await store.sessions.findByDigest(digestOf(number))).toMatchObject({
        session: { userId },
        user: null,
      })
    }
    expect(await store.tokens.deleteMany({ userId: '1' })).toBe(1)
    expect(await store.tokens.list({ userId: 1 })).toHaveLength(1)
    await store.close()
  })

  it('stores whole numbers as integers, for people who read the table', async () => {
    const path = newPath()
    const store = sqlite(path, { externalUsers: true })
    await store.tokens.insertOrGet(newToken(7, 1))
    await store.close()
    const database = new Database(path)
    expect(database.prepare('SELECT typeof(user_id) FROM tokens').pluck().get()).toBe('integer')
    database.close()
  })
})

describe('the change feed', () => {
  it('publishes by name what another connection committed, once', async () => {
    const path = newPath()
    const [mine, theirs] = [sqlite(path), sqlite(path)]
    const user = await insertUser(mine)
    await mine.tokens.insertOrGet(newToken(user.id, 1))
    const changes: Change[] = []
    mine.changes.subscribe((change) => changes.push(change))
    await setImmediate()
    mine.changes.catchUp()
    expect(changes).toEqual([])
    await theirs.users.update(user.id, { isActive: false })
    await theirs.tokens.deleteMany({})
    await theirs.jwts.revokeUser(7, new Date(0))
    await setImmediate()
    mine.changes.catchUp()
    await setImmediate()
    mine.changes.catchUp()
    expect(changes).toEqual([
      { kind: 'user', userId: user.id },
      { kind: 'token', digest: new Uint8Array(digestOf(1)) },
      { kind: 'user', userId: 7 },
    ])
    await Promise.all([mine.close(), theirs.close()])
  })

  it('notices a change that came between two of its own', async () => {
    const path = newPath()
    const [mine, theirs] = [sqlite(path), sqlite(path)]
    const user = await insertUser(mine)
    const other = await insertUser(mine, 'other')
    const changes: Change[] = []
    mine.changes.subscribe((change) => changes.push(change))
    await theirs.users.update(user.id, { isActive: false })
    await mine.users.update(other.id, { email: 'new@example.com' })
    await mine.users.findById(user.id)
    await setImmediate()
    mine.changes.catchUp()
    expect(changes).toContainEqual({ kind: 'user', userId: user.id })
    await Promise.all([mine.close(), theirs.close()])
  })

  it('forgets nothing because of what narrows no right: uses, logins, counters, new tokens', async () => {
    const path = newPath()
    const [mine, theirs] = [sqlite(path), sqlite(path)]
    const user = await insertUser(mine)
    const changes: Change[] = []
    mine.changes.subscribe((change) => changes.push(change))
    const { id: tokenId, digest } = await insertToken(theirs, newToken(user.id, 1))
    await theirs.tokens.recordUses([
      { tokenId, digest, count: 1, lastUsedAt: new Date(1), lastUsedAddress: null },
    ])
    await theirs.users.recordLogin?.(user.id, { lastLogin: new Date(1), passwordHash: 'upgraded' })
    await theirs.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 1)
    await setImmediate()
    mine.changes.catchUp()
    expect(changes).toEqual([])
    await Promise.all([mine.close(), theirs.close()])
  })

  it('forgets everything when it has missed more changes than are kept', async () => {
    const path = newPath()
    const [mine, theirs] = [sqlite(path), sqlite(path)]
    const user = await insertUser(mine)
    const changes: Change[] = []
    mine.changes.subscribe((change) => changes.push(change))
    const other = new Database(path)
    other.transaction(() => {
      const update = other.prepare('UPDATE users SET email = ? WHERE id = ?')
      for (let round = 0; round < 10_001; round += 1) update.run(String(round), user.id)
    })()
    await setImmediate()
    mine.changes.catchUp()
    expect(changes).toEqual([{ kind: 'all' }])
    expect(other.prepare('SELECT count(*) FROM changes').pluck().get()).toBe(10_000)
    other.close()
    await Promise.all([mine.close(), theirs.close()])
  })

  it('publishes what a REPLACE took away, by every key it can collide on', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    const byId = await insertToken(store, newToken(user.id, 1))
    await insertToken(store, newToken(user.id, 2))
    await insertToken(store, newToken(user.id, 3, { onePerUser: true, policy: 'authtoken' }))
    const rotated = await insertToken(store, newToken(user.id, 4))
    const to = { digest: digestOf(5), hint: 'h', sealed: null, previousEndsAt: new Date(1) }
    await store.tokens.rotate(rotated.id, { expected: digestOf(4), ...to })
    await setImmediate()
    store.changes.catchUp()
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    const other = new Database(path)
    const columns = 'id, policy, user_id, slot, digest, hint, name, created_at'
    const replace = other.prepare(`REPLACE INTO tokens (${columns}) VALUES (?, ?, ?, ?, ?, 'h', '', 0)`)
    replace.run(byId.id, 'knox', user.id, null, digestOf(11))
    replace.run(null, 'knox', user.id, null, digestOf(2))
    replace.run(null, 'authtoken', user.id, 0, digestOf(12))
    replace.run(rotated.id, 'knox', user.id, null, digestOf(13))
    other.exec(`REPLACE INTO users SELECT * FROM users`)
    await setImmediate()
    store.changes.catchUp()
    const digests = changes.map((change) => (change.kind === 'token' ? Buffer.from(change.digest) : null))
    for (const number of [1, 2, 3, 5, 4]) expect(digests).toContainEqual(Buffer.from(digestOf(number)))
    expect(changes).toContainEqual({ kind: 'user', userId: user.id })
    other.close()
    await store.close()
  })

  it('forgets everything when a backup was restored into the file, and feels what comes after', async () => {
    for (const inBackup of [0, 1]) {
      const [path, backup] = [newPath(), newPath()]
      const store = sqlite(path)
      const user = await insertUser(store)
      for (let round = 0; round < inBackup; round += 1) await store.users.update(user.id, { isActive: false })
      const live = new Database(path)
      await live.backup(backup)
      const email = live.prepare('UPDATE users SET email = ?')
      for (const text of ['a@example.com', 'b@example.com', 'c@example.com']) email.run(text)
      await setImmediate()
      store.changes.catchUp()
      const changes: Change[] = []
      store.changes.subscribe((change) => changes.push(change))
      live.close()
      const copy = new Database(backup)
      await copy.backup(path)
      copy.close()
      await setImmediate()
      store.changes.catchUp()
      expect(changes).toEqual([{ kind: 'all' }])
      const other = new Database(path)
      other.exec('DELETE FROM users')
      await setImmediate()
      store.changes.catchUp()
      expect(changes).toEqual([{ kind: 'all' }, { kind: 'user', userId: user.id }])
      other.close()
      await store.close()
    }
  })

  it('forgets everything when a row that is not the one it has read stands in its place', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    await store.users.update(user.id, { isActive: false })
    await setImmediate()
    store.changes.catchUp()
    const other = new Database(path)
    other.exec('UPDATE users SET is_active = 1')
    await setImmediate()
    store.changes.catchUp()
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    other.exec(`UPDATE changes SET key = 99 WHERE id = (SELECT max(id) FROM changes)`)
    await setImmediate()
    store.changes.catchUp()
    expect(changes).toEqual([{ kind: 'all' }])
    other.close()
    await store.close()
  })

  it('looks again in the same turn after a look that failed', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    const other = new Database(path)
    for (let round = 0; round < 20; round += 1) {
      other.exec('UPDATE users SET is_active = 0')
      other.exec('ALTER TABLE changes RENAME TO gone')
      await setImmediate()
      const looks = [() => store.changes.catchUp(), () => store.changes.catchUp()]
      for (const look of looks) expect(look).toThrow(expect.objectContaining({ code: 'store_unavailable' }))
      other.exec('ALTER TABLE gone RENAME TO changes')
    }
    store.changes.catchUp()
    expect(changes.length).toBe(20)
    other.close()
    await store.close()
  })

  it('looks again after two milliseconds, even within one turn of the event loop', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    const other = new Database(path)
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    store.changes.catchUp()
    other.prepare('UPDATE users SET is_active = 0 WHERE id = ?').run(user.id)
    const startMs = performance.now()
    while (performance.now() - startMs < 2.01);
    store.changes.catchUp()
    expect(changes).toEqual([{ kind: 'user', userId: user.id }])
    other.close()
    await store.close()
  })
})
