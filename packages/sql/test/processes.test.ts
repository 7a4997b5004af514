import { chmodSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Change } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { sqlite } from '../src/index.js'
import { Database } from '../src/sqlite/driver.js'
import { startChild } from './child.js'
import { testProcesses } from './process-contract.js'
import { digestOf, insertToken, insertUser, newPath, newToken } from './samples.js'

testProcesses('one file', {
  newPlace: newPath,
  open: sqlite,
  check: (path) => expect(new Database(path).pragma('integrity_check', { simple: true })).toBe('ok'),
})

describe('several processes on one file', () => {
  it('see a revocation of another process at their next catchUp', async () => {
    const path = newPath()
    const store = sqlite(path)
    const user = await insertUser(store)
    const token = await insertToken(store, newToken(user.id, 1))
    const changes: Change[] = []
    store.changes.subscribe((change) => changes.push(change))
    store.changes.catchUp()
    expect(changes).toEqual([])
    const child = startChild('delete-token', [path, token.id])
    expect(await child.nextLine()).toBe('true')
    store.changes.catchUp()
    expect(changes).toEqual([{ kind: 'token', digest: new Uint8Array(digestOf(1)) }])
    expect(await store.tokens.findByDigest(digestOf(1))).toBeNull()
    await store.close()
  })

  it('wait for one that is still creating the file, though SQLite itself would give up at once', async () => {
    const path = newPath()
    const child = startChild('hold-lock', [path])
    expect(await child.nextLine()).toBe('ready')
    child.process.stdin.write('go\n')
    // Blocks this process, so the other one has to let go by itself.
    const store = sqlite(path)
    expect(await child.ended).toBe(0)
    await insertUser(store)
    await store.close()
  })
})

describe('the rights of the file', () => {
  // Root may write anything, so the child is nobody.
  const asNobody = process.getuid?.() === 0 ? { uid: 65534 } : {}

  async function outcomeFor(modeOfFile: number, modeOfDirectory: number): Promise<string> {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    await store.close()
    chmodSync(path, modeOfFile)
    chmodSync(dirname(path), modeOfDirectory)
    const child = startChild('open', [path], asNobody)
    await child.ended
    chmodSync(dirname(path), 0o700)
    return child.lines.join('\n')
  }

  it('are those of its owner only, for a new database and for its WAL', async () => {
    const path = newPath()
    const store = sqlite(path)
    await insertUser(store)
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
  })

  it('suffice when file and directory are writable', async () => {
    expect(await outcomeFor(0o666, 0o777)).toBe('ok')
  })

  const NO_RIGHT = 'no right to read and write the file: check its owner and mode, and those of its directory'
  const READ_ONLY = 'the database is read-only: make the file and its directory writable'
  for (const [what, modeOfFile, modeOfDirectory, detail] of [
    ['a read-only file', 0o444, 0o777, NO_RIGHT],
    ['an unreadable file', 0o000, 0o777, NO_RIGHT],
    ['a read-only directory', 0o666, 0o555, READ_ONLY],
    ['an unreadable directory', 0o666, 0o000, NO_RIGHT],
  ] as const) {
    it(`refuse ${what} at the start, in one line that says what to do`, async () => {
      const [line, ...more] = (await outcomeFor(modeOfFile, modeOfDirectory)).split('\n')
      expect(line).toMatch(/^store_unavailable: /)
      expect(line).toContain(`latchkey.db: ${detail}`)
      expect(more).toEqual([])
    })
  }
})
