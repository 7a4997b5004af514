/** The store contract: users. */
import assert from 'node:assert/strict'
import type { UserId } from '../../identity.js'
import type { UserChanges } from '../../stores/store.js'
import {
  at,
  digestOf,
  insertToken,
  insertUser,
  newSession,
  newToken,
  newUser,
  type Promised,
  same,
} from './support.js'

export function usersContract(promised: Promised): void {
  promised('insert returns the whole record, as found later by id and by username', async (store) => {
    const fields = newUser('vitor', { isActive: false, isStaff: true, isSuperuser: true, lastLogin: at(7) })
    const user = await store.users.insert(fields)
    assert.ok(user)
    same(user, { ...fields, id: user.id, passwordVersion: user.passwordVersion })
    same(await store.users.findById(user.id), user)
    same(await store.users.findByUsername('vitor'), user)
  })

  promised('an unknown user is null, not_found or false', async (store) => {
    same(await store.users.findById(1), null)
    same(await store.users.findByUsername('vitor'), null)
    same(await store.users.update(1, { email: 'x@example.com' }), 'not_found')
    same(await store.users.delete(1), false)
    await store.users.recordLogin?.(1, { lastLogin: at(0) })
    same(await store.users.list(), [])
  })

  promised('usernames are exact: no case folding, no trimming, no normalisation', async (store) => {
    const names = ['vitor', 'Vitor', 'vitor ', 'caf\u00e9', 'cafe\u0301', '\uff56itor']
    for (const name of names) await insertUser(store, name)
    for (const name of names) same((await store.users.findByUsername(name))?.username, name)
    same(await store.users.findByUsername('VITOR'), null)
  })

  promised('ids are exact: the text "1" is not the number 1', async (store) => {
    const user = await insertUser(store)
    const text = String(user.id)
    same(await store.users.findById(text), null)
    same(await store.users.update(text, { isActive: false }), 'not_found')
    same(await store.users.delete(text), false)
    same(await store.tokens.insertOrGet(newToken(text, 1)), { kind: 'no_user' })
    same((await store.users.findById(user.id))?.isActive, true)
  })

  promised(
    'insert is null when the username is taken, of any number of concurrent calls all but one',
    async (store) => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => store.users.insert(newUser('vitor'))),
      )
      same(outcomes.filter((user) => user !== null).length, 1)
      same((await store.users.list()).length, 1)
    },
  )

  promised('ids grow and are never used again', async (store) => {
    const first = await insertUser(store, 'first')
    const second = await insertUser(store, 'second')
    await store.users.delete(second.id)
    const third = await insertUser(store, 'third')
    assert.ok(first.id < second.id && second.id < third.id)
  })

  const CHANGES: readonly UserChanges[] = [
    { username: 'renamed' },
    { email: 'new@example.com' },
    { isActive: false },
    { isStaff: true },
    { isSuperuser: true },
    { lastLogin: at(9) },
    { lastLogin: null },
    { email: '', isActive: false, lastLogin: at(8) },
    {},
  ]
  for (const changes of CHANGES) {
    promised(
      `update of ${Object.keys(changes).join(', ') || 'nothing'} changes nothing else`,
      async (store) => {
        const other = await insertUser(store, 'other')
        const user = await store.users.insert(newUser('vitor', { lastLogin: at(1) }))
        assert.ok(user)
        same(await store.users.update(user.id, changes), 'updated')
        same(await store.users.findById(user.id), { ...user, ...changes })
        same(await store.users.findById(other.id), other)
      },
    )
  }

  promised(
    'a new passwordHash adds one to passwordVersion; an upgraded one after a login does not',
    async (store) => {
      const user = await insertUser(store)
      same(await store.users.update(user.id, { passwordHash: 'new' }), 'updated')
      const version = user.passwordVersion + 1
      same(await store.users.findById(user.id), { ...user, passwordHash: 'new', passwordVersion: version })
      const upgrade = { lastLogin: at(3), passwordHash: 'upgraded', expectedHash: 'new' }
      await store.users.recordLogin?.(user.id, upgrade)
      const found = await store.users.findById(user.id)
      same(found?.passwordVersion, version)
      if (store.users.recordLogin) same([found?.passwordHash, found?.lastLogin], ['upgraded', at(3)])
    },
  )

  promised(
    'an upgraded hash takes the place of the one that was verified, and of no other',
    async (store) => {
      if (store.users.recordLogin === undefined) return
      const user = await insertUser(store)
      await store.users.update(user.id, { passwordHash: 'set meanwhile' })
      for (const change of [
        { passwordHash: 'old, upgraded', expectedHash: user.passwordHash },
        { passwordHash: 'old, upgraded', expectedHash: user.passwordHash, lastLogin: at(4) },
        { passwordHash: 'of nothing that was verified' },
      ]) {
        await store.users.recordLogin(user.id, change)
        same((await store.users.findById(user.id))?.passwordHash, 'set meanwhile')
      }
      same((await store.users.findById(user.id))?.lastLogin, at(4))
    },
  )

  promised(
    'update is username_taken for the username of another, and fine for the own one',
    async (store) => {
      const user = await insertUser(store, 'vitor')
      await insertUser(store, 'admin')
      same(await store.users.update(user.id, { username: 'admin', isStaff: true }), 'username_taken')
      same(await store.users.findById(user.id), user)
      same(await store.users.update(user.id, { username: 'vitor' }), 'updated')
      same(await store.users.update(user.id, { username: 'moved' }), 'updated')
      same(await store.users.findByUsername('vitor'), null)
      await insertUser(store, 'vitor')
    },
  )

  promised('delete takes all tokens and sessions of the user along, and no others', async (store) => {
    const user = await insertUser(store, 'vitor')
    const other = await insertUser(store, 'other')
    await insertToken(store, newToken(user.id, 1))
    await insertToken(store, newToken(user.id, 2, { policy: 'authtoken', onePerUser: true }))
    await insertToken(store, newToken(other.id, 3))
    await store.sessions.insert(newSession(user.id, 4))
    await store.sessions.insert(newSession(other.id, 5))
    same(await store.users.delete(user.id), true)
    same(await store.users.findById(user.id), null)
    same(
      (await store.tokens.list({})).map((token) => token.digest),
      [digestOf(3)],
    )
    same(await store.tokens.findByDigest(digestOf(1)), null)
    same(await store.sessions.findByDigest(digestOf(4)), null)
    same((await store.sessions.findByDigest(digestOf(5)))?.user, other)
    same(await store.users.delete(user.id), false)
    await insertUser(store, 'vitor')
  })

  promised(
    'samplePasswordHashes gives one stored hash for each algorithm and cost, and no other',
    async (store) => {
      same(await store.users.samplePasswordHashes(), [])
      const hashes = {
        pbkdf2: 'pbkdf2_sha256$260000$salt$digest',
        pbkdf2Again: 'pbkdf2_sha256$260000$other$digest2',
        pbkdf2More: 'pbkdf2_sha256$1000000$salt$digest',
        argon2: 'argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$ZGlnZXN0',
        argon2More: 'argon2$argon2id$v=19$m=102400,t=2,p=8$c2FsdA$ZGlnZXN0',
        bcrypt: 'bcrypt_sha256$$2b$12$Ty3NHLJUbd7XbiazU8nPRusB0icFFDP1bYqTMdCihJU2PIdOi5tDG',
        bcryptLess: 'bcrypt_sha256$$2b$10$Ty3NHLJUbd7XbiazU8nPRusB0icFFDP1bYqTMdCihJU2PIdOi5tDG',
        scrypt: 'scrypt$16384$salt$8$5$digest',
        scryptLess: 'scrypt$16384$salt$8$1$digest',
        own: 'algorithm_of_an_app$salt$digest',
        quoted: 'pbkdf2_sha256$870000$a"b\\c$digest',
      }
      const users: UserId[] = []
      for (const [name, passwordHash] of Object.entries(hashes)) {
        const user = await store.users.insert(newUser(name, { passwordHash }))
        assert.ok(user)
        users.push(user.id)
      }
      const expected: readonly string[] = Object.values(hashes).filter((hash) => hash !== hashes.pbkdf2Again)
      const costs = async () => {
        const samples = await store.users.samplePasswordHashes()
        // Which of the two that cost the same is open, and so is what cannot be right.
        return samples.map((hash) => (hash === hashes.pbkdf2Again ? hashes.pbkdf2 : hash)).sort()
      }
      const withoutQuoted = async () => (await costs()).filter((hash) => hash !== hashes.quoted)
      same(await withoutQuoted(), expected.filter((hash) => hash !== hashes.quoted).sort())
      const [first = 0, second = 0] = users
      await store.users.delete(first)
      assert.ok((await costs()).includes(hashes.pbkdf2))
      const change = { passwordHash: hashes.argon2, expectedHash: hashes.pbkdf2Again }
      await store.users.recordLogin?.(second, change)
      if (store.users.recordLogin) assert.ok(!(await costs()).includes(hashes.pbkdf2))
      await store.users.update(second, { passwordHash: 'pbkdf2_sha1$5$salt$digest' })
      assert.ok((await costs()).includes('pbkdf2_sha1$5$salt$digest'))
      for (let number = 0; number < 3; number += 1) {
        await insertUser(store, `unusable${number}`)
        await store.users.insert(newUser(`bare${number}`, { passwordHash: `${number}`.repeat(32) }))
      }
      const bare = (await store.users.samplePasswordHashes()).filter((hash) => !hash.slice(1).includes('$'))
      assert.ok(bare.length <= 1, 'hashes without a cost are alike')
    },
  )

  promised('list is ordered by id, starts above afterId and ends at limit', async (store) => {
    const ids: unknown[] = []
    for (let index = 9; index > 0; index -= 1) ids.push((await insertUser(store, `user${index}`)).id)
    const listed = async (page?: { afterId?: number; limit?: number }) =>
      (await store.users.list(page)).map((user) => user.id)
    same(await listed(), ids)
    same(await listed({ limit: 4 }), ids.slice(0, 4))
    same(await listed({ afterId: Number(ids[3]), limit: 4 }), ids.slice(4, 8))
    same(await listed({ afterId: Number(ids[7]) }), ids.slice(8))
    same(await listed({ afterId: Number(ids[8]), limit: 4 }), [])
    same(await listed({ limit: 0 }), [])
  })
}
