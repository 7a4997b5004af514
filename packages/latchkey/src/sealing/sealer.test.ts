import { beforeEach, describe, expect, it } from 'vitest'
import { oldSeal, oldSigningKeyData } from '../../test/old-seal.js'
import { SECRET_PREFIX } from '../crypto/keyring.js'
import type { User } from '../identity.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import type { Store, TokenRecord } from '../stores/store.js'

const SECRET = 'the secret of this store, more than 32 characters'
const NEWER = 'a newer secret of this store, more than 32 characters'
const FOREIGN = 'the secret of another project, more than 32 characters'
const refused = { code: 'sealing_key_missing', status: 503 }

let store: Store
let latchkey: Latchkey
let vitor: User
let eve: User

const open = (secret: string | readonly string[] | (() => readonly string[])) =>
  createLatchkey({ store, secret, jwt: { keys: 'store' } })

beforeEach(async () => {
  store = memoryStore()
  latchkey = open(SECRET)
  vitor = await latchkey.users.create({ username: 'vitor' })
  eve = await latchkey.users.create({ username: 'eve' })
})

/** What a database writer does: the row becomes this one. Only a new row can have other columns here. */
async function rewrite(id: number, fields: Partial<TokenRecord>): Promise<number> {
  const record = await store.tokens.findById(id)
  if (record === null) throw new Error('no such token')
  await store.tokens.delete(id)
  const { previous, id: _, ...columns } = { ...record, ...fields }
  const inserted = await store.tokens.insertOrGet({ ...columns, onePerUser: true, limitPerUser: null })
  if (inserted.kind !== 'created') throw new Error(inserted.kind)
  return inserted.token.id
}

async function recordOf(user: User): Promise<TokenRecord> {
  const [record] = await store.tokens.list({ userId: user.id })
  if (record === undefined) throw new Error('no token')
  return record
}

describe('a database writer who moves sealed bytes', () => {
  it('does not get a signing key out of a login, whatever digest the row is given', async () => {
    await latchkey.signingKeys.generate()
    const [key] = await store.keys.list()
    const { token } = await latchkey.tokens.getOrCreate({ user: eve })
    const kid = key?.kid ?? ''
    let id = token.id
    for (const digest of [oldSigningKeyData(kid), Buffer.from(kid), new Uint8Array(32)]) {
      id = await rewrite(id, { digest, sealed: key?.sealed ?? null })
      await expect(latchkey.tokens.getOrCreate({ user: eve })).rejects.toMatchObject(refused)
      await expect(latchkey.tokens.reveal(id)).rejects.toMatchObject(refused)
    }
  })

  it('does not get one that was sealed by an earlier version either', async () => {
    await latchkey.signingKeys.generate()
    const [key] = await store.keys.list()
    const kid = key?.kid ?? ''
    const old = oldSeal(SECRET, '-----BEGIN PRIVATE KEY-----\nMIGH\n', oldSigningKeyData(kid))
    const { token } = await latchkey.tokens.getOrCreate({ user: eve })
    await rewrite(token.id, { digest: oldSigningKeyData(kid), sealed: old })
    await expect(latchkey.tokens.getOrCreate({ user: eve })).rejects.toMatchObject(refused)
    // To seal everything anew does not launder it.
    expect(await latchkey.tokens.reseal()).toEqual({ resealed: 0, unopened: 1 })
  })

  it("does not get another user's token, nor one of another policy", async () => {
    await latchkey.tokens.getOrCreate({ user: vitor })
    const { digest, sealed, id } = await recordOf(vitor)
    await store.tokens.delete(id)
    const { token } = await latchkey.tokens.getOrCreate({ user: eve })
    const mine = await rewrite(token.id, { digest, sealed })
    await expect(latchkey.tokens.getOrCreate({ user: eve })).rejects.toMatchObject(refused)
    await rewrite(mine, { userId: vitor.id, policy: 'other' })
    await expect(latchkey.tokens.reveal(await recordOf(vitor))).rejects.toMatchObject(refused)
  })
})

describe('seals of an earlier version', () => {
  async function makeOld(user: User, secret = SECRET): Promise<string> {
    const issued = await latchkey.tokens.getOrCreate({ user })
    const { id, digest, sealed } = await recordOf(user)
    const text = issued.secret.reveal()
    await store.tokens.reseal(id, sealed ?? new Uint8Array(), oldSeal(secret, text, digest))
    return text
  }

  it('open, and are sealed anew when they are opened', async () => {
    const text = await makeOld(vitor)
    expect((await recordOf(vitor)).sealed?.[0]).toBe(1)
    const { secret, created } = await latchkey.tokens.getOrCreate({ user: vitor })
    expect([secret.reveal(), created]).toEqual([text, false])
    const after = await recordOf(vitor)
    expect(after.sealed?.[0]).toBe(2)
    expect((await latchkey.tokens.reveal(after.id)).reveal()).toBe(text)
    expect((await recordOf(vitor)).sealed).toEqual(after.sealed)
  })

  it('open where the store cannot replace them just now', async () => {
    const text = await makeOld(vitor)
    store.tokens.reseal = () => Promise.reject(new Error('read-only'))
    expect((await latchkey.tokens.getOrCreate({ user: vitor })).secret.reveal()).toBe(text)
  })

  it('are sealed anew by reseal under the same secret, too', async () => {
    const text = await makeOld(vitor)
    expect(await latchkey.tokens.reseal()).toEqual({ resealed: 1, unopened: 0 })
    expect(await latchkey.tokens.reseal()).toEqual({ resealed: 0, unopened: 0 })
    expect((await latchkey.tokens.getOrCreate({ user: vitor })).secret.reveal()).toBe(text)
  })

  it('cannot come back once the secret is one that was made later', async () => {
    const text = await makeOld(vitor)
    const old = (await recordOf(vitor)).sealed ?? new Uint8Array()
    const secret = SECRET_PREFIX + 'e'.repeat(64)
    const rotated = open([secret, SECRET])
    expect(await rotated.tokens.reseal()).toEqual({ resealed: 1, unopened: 0 })
    const after = open(secret)
    const { id, sealed, digest } = await recordOf(vitor)
    expect((await after.tokens.reveal(id)).reveal()).toBe(text)
    for (const bytes of [old, oldSeal(secret, text, digest)]) {
      const before = (await recordOf(vitor)).sealed ?? new Uint8Array()
      await store.tokens.reseal(id, before, bytes)
      await expect(after.tokens.reveal(id)).rejects.toMatchObject(refused)
    }
    expect(sealed?.[0]).toBe(2)
  })
})

describe('a process with another secret', () => {
  const reason = {
    ...refused,
    detail: expect.stringMatching(
      /^the store's records are sealed under key [\da-f]{8}, and the secrets given are those of [\da-f]{8}/,
    ),
  }

  it('is refused before it seals anything, with the keys named and no secret', async () => {
    const { secret } = await latchkey.tokens.getOrCreate({ user: vitor })
    const script = open(FOREIGN)
    await expect(script.tokens.getOrCreate({ user: eve })).rejects.toMatchObject(reason)
    await expect(script.tokens.issue({ user: eve })).rejects.toMatchObject(reason)
    await expect(script.tokens.import({ user: eve, secret: 'a'.repeat(40) })).rejects.toMatchObject(reason)
    await expect(script.tokens.rotate((await recordOf(vitor)).id)).rejects.toMatchObject(reason)
    await expect(script.signingKeys.generate()).rejects.toMatchObject(reason)
    await expect(script.tokens.reseal()).rejects.toMatchObject(reason)
    const error = await script.tokens.issue({ user: eve }).catch((thrown: unknown) => String(thrown))
    expect(error).not.toMatch(/another project|this store, more/)
    expect(await store.tokens.list({ userId: eve.id })).toEqual([])
    expect((await latchkey.tokens.getOrCreate({ user: vitor })).secret.reveal()).toBe(secret.reveal())
    await expect(latchkey.tokens.getOrCreate({ user: eve })).resolves.toMatchObject({ created: true })
  })

  it('goes on with what needs no sealing', async () => {
    const { token, secret } = await latchkey.tokens.getOrCreate({ user: vitor })
    const script = open(FOREIGN)
    expect((await script.tokens.verify(secret.reveal())).user.username).toBe('vitor')
    expect(await script.tokens.update(token, { name: 'laptop' })).toBe(true)
    expect(await script.tokens.revoke(token)).toBe(true)
  })

  it('is told what is wrong by its state', async () => {
    expect(await latchkey.sealing.state()).toMatchObject({ admitted: [], missing: [], maySeal: true })
    await latchkey.tokens.getOrCreate({ user: vitor })
    const { held } = await latchkey.sealing.state()
    expect(await latchkey.sealing.state()).toEqual({ held, admitted: held, missing: [], maySeal: true })
    expect(await open(FOREIGN).sealing.state()).toMatchObject({ missing: held, maySeal: false })
  })

  it('of several first ones loses to the first', async () => {
    const outcomes = await Promise.allSettled(
      [SECRET, FOREIGN, NEWER].map((secret) => open(secret).tokens.getOrCreate({ user: vitor })),
    )
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
  })

  it('may take the place of a secret that was lost, when an operator says so', async () => {
    await latchkey.tokens.getOrCreate({ user: vitor })
    const later = open(NEWER)
    await later.sealing.adopt()
    await expect(later.tokens.getOrCreate({ user: eve })).resolves.toMatchObject({ created: true })
    await expect(later.tokens.getOrCreate({ user: vitor })).rejects.toMatchObject(refused)
    expect((await later.sealing.state()).missing).toHaveLength(1)
    await later.tokens.revoke((await recordOf(vitor)).id)
    expect(await later.tokens.reseal()).toEqual({ resealed: 0, unopened: 0 })
    expect(await later.sealing.withdraw('newest')).toBe(1)
    await expect(latchkey.tokens.issue({ user: vitor })).rejects.toMatchObject(reason)
  })
})

describe('a rotation on several nodes', () => {
  it('refuses no node that holds a key of the store, and no token, until the old key is withdrawn', async () => {
    await latchkey.tokens.getOrCreate({ user: vitor })
    const both = open([NEWER, SECRET])
    await both.tokens.getOrCreate({ user: eve })
    // A node that was not restarted yet still seals under the old secret.
    const late = await latchkey.users.create({ username: 'late' })
    await latchkey.tokens.getOrCreate({ user: late })
    await expect(both.tokens.getOrCreate({ user: late })).resolves.toMatchObject({ created: false })
    expect(await both.tokens.reseal()).toEqual({ resealed: 2, unopened: 0 })
    expect(await both.sealing.withdraw('held')).toBe(0)
    expect(await both.sealing.withdraw('newest')).toBe(1)
    const another = await latchkey.users.create({ username: 'another' })
    await expect(latchkey.tokens.getOrCreate({ user: another })).rejects.toMatchObject(refused)
    const after = open(NEWER)
    for (const user of [vitor, eve, late])
      await expect(after.tokens.getOrCreate({ user })).resolves.toMatchObject({ created: false })
  })

  it('lets nodes that read their secrets anew seal under the newest at once', async () => {
    const secrets = [SECRET]
    const live = open(() => secrets)
    await live.tokens.getOrCreate({ user: vitor })
    secrets.unshift(NEWER)
    await live.tokens.getOrCreate({ user: eve })
    await expect(open(NEWER).tokens.getOrCreate({ user: eve })).resolves.toMatchObject({ created: false })
  })

  it('asks the store for the keys once, and again after they have changed', async () => {
    let count = 0
    const { admit } = store.sealingKeys
    store.sealingKeys.admit = (id, held) => {
      count += 1
      return admit(id, held)
    }
    for (let number = 0; number < 3; number += 1) await latchkey.tokens.getOrCreate({ user: vitor })
    expect(count).toBeLessThanOrEqual(2)
    await store.sealingKeys.admit('0a0b0c0d', await store.sealingKeys.list())
    const before = count
    for (let number = 0; number < 3; number += 1) await latchkey.tokens.getOrCreate({ user: vitor })
    expect(count - before).toBe(1)
  })
})
