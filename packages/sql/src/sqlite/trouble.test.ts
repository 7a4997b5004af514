import { openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { isLatchkeyError } from 'latchkey'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  digestOf,
  insertToken,
  insertUser,
  newDirectory,
  newPath,
  newToken,
  newUser,
} from '../../test/samples.js'
import { Connection } from './connection.js'
import { Database } from './driver.js'
import { sqlite, storeOn } from './sqlite.js'

const unavailable = (detail: RegExp) => ({ code: 'store_unavailable', detail: expect.stringMatching(detail) })

/** The refusal at the start: thrown, and its message is one line that names the file. */
function refusalOf(path: string): string {
  try {
    sqlite(path)
  } catch (error) {
    if (!isLatchkeyError(error, 'store_unavailable')) throw error
    expect(error.message).toContain(path)
    expect(error.message).not.toContain('\n')
    return error.detail ?? ''
  }
  throw new Error('it was opened')
}

afterEach(() => void vi.restoreAllMocks())

describe('at the start, sqlite(path) refuses', () => {
  it('a directory that does not exist', () => {
    expect(refusalOf(join(newDirectory(), 'missing', 'latchkey.db'))).toMatch(
      /directory does not exist: create/,
    )
  })

  it('a path through a file', () => {
    const path = newPath()
    writeFileSync(path, '')
    expect(refusalOf(join(path, 'latchkey.db'))).toMatch(/not a directory/)
  })

  it('a directory', () => {
    expect(refusalOf(newDirectory())).toMatch(/is a directory: name a file/)
  })

  it('a file that is not a database, and leaves it as it is', () => {
    const path = newPath()
    const text = 'Dear diary, today I learned what a database is not. '.repeat(50)
    writeFileSync(path, text)
    expect(refusalOf(path)).toMatch(/not an SQLite database/)
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(join(path, '..'))).toEqual(['latchkey.db'])
  })

  it("another program's tables of the same names, and leaves the file as it is", async () => {
    const path = newPath()
    const other = new Database(path)
    other.exec('CREATE TABLE users (name)')
    other.close()
    const before = readFileSync(path)
    const store = sqlite(path)
    await expect(store.migrations()).resolves.toContainEqual(expect.objectContaining({ appliedAt: null }))
    await expect(store.migrate()).rejects.toMatchObject(unavailable(/tables of another program/))
    await store.close()
    expect(readFileSync(path)).toEqual(before)
  })

  it('a path that is too long', () => {
    expect(refusalOf(join(newDirectory(), 'x'.repeat(300)))).toMatch(/too long/)
  })
})

describe('trouble later is store_unavailable, never "not found"', () => {
  it('a database that another process has locked', async () => {
    const path = newPath()
    const store = sqlite(path, { busyTimeoutMs: 20 })
    const user = await insertUser(store)
    await store.tokens.insertOrGet(newToken(user.id, 1))
    const other = new Database(path)
    other.exec('BEGIN IMMEDIATE')
    const locked = { ...unavailable(/locked/), retryAfterSeconds: 1 }
    await expect(store.tokens.insertOrGet(newToken(user.id, 2))).rejects.toMatchObject(locked)
    await expect(store.tokens.delete(1)).rejects.toMatchObject(locked)
    expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user })
    other.exec('ROLLBACK')
    other.close()
    expect(await store.tokens.delete(1)).toBe(true)
    await store.close()
  })

  it('a database that another process has locked for itself alone, at the start', () => {
    const other = new Database(newPath())
    other.exec('CREATE TABLE t (x); BEGIN EXCLUSIVE')
    expect(() => sqlite(other.name, { busyTimeoutMs: 20 })).toThrow(/locked/)
    other.close()
  })

  it.each([
    ['was removed', () => undefined],
    ['was replaced', (path: string) => sqlite(path).migrate()],
  ])('a file that %s while it was in use', async (_what, replace) => {
    const path = newPath()
    const now = vi.spyOn(performance, 'now')
    const store = sqlite(path)
    const user = await insertUser(store)
    await insertToken(store, newToken(user.id, 1))
    for (const end of ['', '-wal', '-shm']) renameSync(path + end, `${path}.away${end}`)
    await replace(path)
    now.mockReturnValue(performance.now() + 1001)
    const gone = unavailable(/removed or replaced while it was in use: restart/)
    expect(() => store.changes.catchUp()).toThrow(expect.objectContaining(gone))
    await expect(store.tokens.findByDigest(digestOf(1))).rejects.toMatchObject(gone)
    await expect(store.tokens.insertOrGet(newToken(user.id, 2))).rejects.toMatchObject(gone)
    for (const end of ['', '-wal', '-shm']) {
      rmSync(path + end, { force: true })
      renameSync(`${path}.away${end}`, path + end)
    }
    expect(await store.tokens.findByDigest(digestOf(1))).toMatchObject({ user })
    await store.close()
  })

  it('a full disk: nothing is acknowledged, and what was there stays readable', async () => {
    const connection = new Connection(newPath(), {
      busyTimeoutMs: 20,
      synchronous: 'full',
      externalUsers: false,
      migrate: true,
    })
    const store = storeOn(connection)
    const user = await insertUser(store)
    const pages = Number(connection.database.pragma('page_count', { simple: true }))
    connection.database.pragma(`max_page_count = ${pages}`)
    const acknowledged: number[] = []
    const fill = async () => {
      for (let number = 0; number < 10_000; number += 1) {
        const token = await insertToken(store, newToken(user.id, number, { name: 'x'.repeat(500) }))
        acknowledged.push(token.id)
      }
    }
    await expect(fill()).rejects.toMatchObject(unavailable(/disk is full/))
    expect(acknowledged.length).toBeGreaterThan(0)
    expect((await store.tokens.list({})).map((token) => token.id)).toEqual(acknowledged)
    expect(await store.tokens.delete(acknowledged[0] ?? 0)).toBe(true)
    await store.close()
  })

  it('a database that became read-only', async () => {
    const connection = new Connection(newPath(), {
      busyTimeoutMs: 20,
      synchronous: 'full',
      externalUsers: false,
      migrate: true,
    })
    const store = storeOn(connection)
    const user = await insertUser(store)
    connection.database.pragma('query_only = on')
    await expect(store.users.update(user.id, { isActive: false })).rejects.toMatchObject(
      unavailable(/read-only/),
    )
    await expect(store.users.insert(newUser('other'))).rejects.toMatchObject(unavailable(/read-only/))
    expect(await store.users.findById(user.id)).toEqual(user)
    await store.close()
  })

  it('a damaged file', async () => {
    const path = newPath()
    const before = sqlite(path)
    const user = await insertUser(before)
    for (let number = 0; number < 2000; number += 1)
      await before.tokens.insertOrGet(newToken(user.id, number))
    await before.close()
    const size = readFileSync(path).length
    const file = openSync(path, 'r+')
    // All but the first pages, which hold the schema.
    const kept = 48 * 4096
    writeSync(file, Buffer.alloc(size - kept, 0xa5), 0, size - kept, kept)
    const store = sqlite(path)
    const damaged = unavailable(/damaged: restore a backup/)
    await expect(store.tokens.list({})).rejects.toMatchObject(damaged)
    await expect(store.tokens.findByDigest(digestOf(1999))).rejects.toMatchObject(damaged)
    await store.close()
  })

  it('a store that is closed', async () => {
    const store = sqlite(newPath())
    await store.migrate()
    await store.close()
    await expect(store.users.list()).rejects.toMatchObject(unavailable(/closed/))
    await expect(store.migrate()).rejects.toMatchObject(unavailable(/closed/))
    await expect(store.migrations()).rejects.toMatchObject(unavailable(/closed/))
    expect(() => store.changes.catchUp()).toThrow(expect.objectContaining(unavailable(/closed/)))
  })
})
