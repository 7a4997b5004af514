/** The store contract: the import of users. */
import assert from 'node:assert/strict'
import type { ImportedUserRecord, Store } from '../../stores/store.js'
import { at, insertUser, newToken, newUser, type Promised, same } from './support.js'

function imported(
  id: number,
  username = `user${id}`,
  fields: Partial<ImportedUserRecord> = {},
): ImportedUserRecord {
  return { ...newUser(username), id, at: `line ${id}`, position: 0, ...fields }
}

/** Rows in batches of two, numbered. */
async function* inBatches(
  rows: readonly ImportedUserRecord[],
): AsyncGenerator<readonly ImportedUserRecord[]> {
  for (let start = 0; start < rows.length; start += 2) {
    yield rows.slice(start, start + 2).map((row, index) => ({ ...row, position: start + index }))
  }
}

const importInto = (store: Store, rows: readonly ImportedUserRecord[], mayInsert = () => true) =>
  store.users.import(inBatches(rows), { mayInsert })

const created = (count: number) => ({ created: count, unchanged: 0, conflictCount: 0, conflicts: [] })

const idsIn = async (store: Store) => (await store.users.list()).map(({ id }) => id)

export function userImportContract(promised: Promised): void {
  promised('import keeps ids, dates, flags and hashes, in any order, with gaps', async (store) => {
    const rows = [
      imported(7, 'seven', { isActive: false, lastLogin: at(5), passwordHash: 'md5$salt$0' }),
      imported(3, 'three', { isStaff: true, dateJoined: at(-86_400_000 * 10_000), email: '' }),
      imported(2 ** 40, 'far', { isSuperuser: true }),
      imported(4, '\u540d\u524d'),
      imported(5, "o'neil"),
    ]
    same(await importInto(store, rows), created(5))
    for (const { id, username, at: _at, position: _position, ...fields } of rows) {
      const found = await store.users.findById(id)
      same(found, { ...fields, id, username, passwordVersion: 0 })
      same(await store.users.findByUsername(username), found)
    }
    same(await idsIn(store), [3, 4, 5, 7, 2 ** 40])
    for (const gap of [1, 2, 6, 8]) same(await store.users.findById(gap), null)
  })

  promised('ids of later users are above all imported ones, and gaps stay gaps', async (store) => {
    await importInto(store, [imported(50), imported(9)])
    const next = await insertUser(store, 'next')
    assert.ok(next.id === 51)
    await store.users.delete(next.id)
    await store.users.delete(50)
    assert.ok((await insertUser(store, 'after')).id === 52)
  })

  promised('importing the same again changes nothing', async (store) => {
    const rows = [imported(2), imported(5), imported(9)]
    await importInto(store, rows)
    await store.users.update(5, { isActive: false, passwordHash: 'new' })
    const before = await store.users.list()
    same(await importInto(store, rows), { ...created(0), unchanged: 3 })
    same(await store.users.list(), before)
    same(await importInto(store, [...rows, imported(12)]), { ...created(1), unchanged: 3 })
    same(await idsIn(store), [2, 5, 9, 12])
  })

  promised('import of nothing is nothing', async (store) => {
    same(await importInto(store, []), created(0))
    same((await insertUser(store)).id, 1)
  })

  promised(
    'an import with a conflict changes nothing, and names each in the order of the source',
    async (store) => {
      await importInto(store, [imported(10, 'ten'), imported(20, 'twenty')])
      await insertUser(store, 'deleted')
      await store.users.delete(21)
      const before = await store.users.list()
      const rows = [
        imported(30, 'fine'),
        imported(10, 'other'),
        imported(31, 'twenty'),
        imported(21, 'again'),
        imported(5, 'gap'),
        imported(30, 'duplicate'),
        imported(32, 'fine'),
        imported(20, 'twenty'),
      ]
      const outcome = await importInto(store, rows)
      same(
        outcome.conflicts.map(({ position, at: label, id, username, reason }) => [
          position,
          label,
          id,
          username,
          reason,
        ]),
        [
          [1, 'line 10', 10, 'other', 'id_taken'],
          [2, 'line 31', 31, 'twenty', 'username_taken'],
          [3, 'line 21', 21, 'again', 'id_used'],
          [4, 'line 5', 5, 'gap', 'id_used'],
          [5, 'line 30', 30, 'duplicate', 'duplicate_id'],
          [6, 'line 32', 32, 'fine', 'duplicate_username'],
        ],
      )
      same([outcome.created, outcome.unchanged, outcome.conflictCount], [1, 1, 6])
      same(await store.users.list(), before)
      same((await insertUser(store, 'next')).id, 22)
    },
  )

  promised('usernames are compared exactly', async (store) => {
    const names = ['vitor', 'Vitor', 'vitor ', 'caf\u00e9', 'cafe\u0301']
    same(
      await importInto(
        store,
        names.map((name, index) => imported(index + 1, name)),
      ),
      created(5),
    )
    for (const [index, name] of names.entries()) same((await store.users.findByUsername(name))?.id, index + 1)
  })

  promised('mayInsert is asked once, after the last batch; with no, nothing changes', async (store) => {
    const asked: number[] = []
    let batches = 0
    async function* counted() {
      for await (const batch of inBatches([imported(4), imported(5), imported(6)])) {
        batches += 1
        yield batch
      }
    }
    const mayInsert = () => {
      asked.push(batches)
      return false
    }
    same(await store.users.import(counted(), { mayInsert }), created(3))
    same(asked, [2])
    same(await store.users.list(), [])
    same((await insertUser(store)).id, 1)
  })

  promised('what a batch rejects with, the call rejects with, and nothing has changed', async (store) => {
    const broken = new TypeError('line 3: broken')
    async function* breaking() {
      yield* inBatches([imported(4), imported(5)])
      throw broken
    }
    await assert.rejects(
      store.users.import(breaking(), { mayInsert: () => true }),
      (error) => error === broken,
    )
    same(await store.users.list(), [])
    same(await importInto(store, [imported(4)]), created(1))
  })

  promised('at most 100 conflicts are listed, and all are counted', async (store) => {
    const rows = Array.from({ length: 130 }, () => imported(1, 'same'))
    const { conflictCount, conflicts } = await importInto(store, rows)
    same([conflictCount, conflicts.length, conflicts[99]?.position], [129, 100, 100])
    same(await store.users.list(), [])
  })

  promised('imports and inserts at the same time keep ids and usernames unique', async (store) => {
    const rows = Array.from({ length: 20 }, (_, index) => imported(index * 3 + 1000))
    const [outcomes] = await Promise.all([
      Promise.all([importInto(store, rows), importInto(store, rows)]),
      Promise.all(Array.from({ length: 20 }, (_, index) => store.users.insert(newUser(`own${index}`)))),
    ])
    same(
      outcomes.map(({ created: made, unchanged }) => made + unchanged),
      [20, 20],
    )
    const ids = await idsIn(store)
    same(ids.length, 40)
    same(new Set(ids).size, 40)
  })

  promised('an imported user owns tokens like any other', async (store) => {
    await importInto(store, [imported(42)])
    same((await store.tokens.insertOrGet(newToken(42, 1))).kind, 'created')
    same((await store.tokens.insertOrGet(newToken(41, 2))).kind, 'no_user')
    same(await store.users.delete(42), true)
  })
}
