import { beforeEach, describe, expect, it } from 'vitest'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { memoryStore } from '../stores/memory.js'

describe('UserService', () => {
  let latchkey: Latchkey

  beforeEach(() => {
    latchkey = createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
    })
  })

  it('creates users and superusers without showing the hash', async () => {
    const user = await latchkey.users.create({
      username: 'vitor',
      email: 'vitor@example.com',
      password: 'open sesame 1',
    })
    expect(user).toMatchObject({
      username: 'vitor',
      isActive: true,
      isStaff: false,
      isSuperuser: false,
      lastLogin: null,
    })
    expect(JSON.stringify(user)).not.toContain('argon2')
    const admin = await latchkey.users.createSuperuser({ username: 'admin' })
    expect(admin).toMatchObject({ isStaff: true, isSuperuser: true })
    expect(await latchkey.users.list()).toHaveLength(2)
  })

  it.each(['vitor', 'ünïcode', '雪之下', 'a.b@c+d-e_f', '1', 'x'.repeat(150)])(
    'takes the username %s',
    async (username) => {
      await expect(latchkey.users.create({ username })).resolves.toMatchObject({ username })
    },
  )

  it.each([
    ['', 'This field may not be blank.'],
    ['vi tor', 'Enter a valid username.'],
    ['vitor\n', 'Enter a valid username.'],
    ['<script>', 'Enter a valid username.'],
    ['a\u0000b', 'Enter a valid username.'],
    ['x'.repeat(151), 'Ensure this value has at most 150 characters (it has 151).'],
  ])('refuses the username %j', async (username, message) => {
    const refusal = await latchkey.users.create({ username }).catch((error: unknown) => error)
    expect(refusal).toMatchObject({
      code: 'invalid',
      fields: { username: [expect.stringContaining(message)] },
    })
  })

  it('stores names in NFKC, so that look-alikes are one user', async () => {
    await latchkey.users.create({ username: 'ｖｉｔｏｒ' })
    await expect(latchkey.users.create({ username: 'vitor' })).rejects.toMatchObject({
      fields: { username: ['A user with that username already exists.'] },
    })
  })

  it('lets one of many parallel creations of a name win', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 20 }, () => latchkey.users.create({ username: 'vitor' })),
    )
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it.each([
    ['short', 'This password is too short. It must contain at least 8 characters.'],
    ['vitor1234', 'The password is too similar to the username.'],
    ['password', 'This password is too common.'],
    ['20261122', 'This password is entirely numeric.'],
  ])('refuses the password %s', async (password, message) => {
    await expect(latchkey.users.create({ username: 'vitor1234', password })).rejects.toMatchObject({
      fields: { password: expect.arrayContaining([message]) },
    })
    await expect(
      latchkey.users.create({ username: 'vitor1234', password, allowWeakPassword: true }),
    ).resolves.toMatchObject({ username: 'vitor1234' })
  })

  it('ends sessions with a new password, and keeps tokens, as DRF does', async () => {
    const user = await latchkey.users.create({ username: 'vitor', password: 'open sesame 1' })
    const session = await latchkey.sessions.start(user)
    const token = await latchkey.tokens.issue({ user })
    await latchkey.users.setPassword(user, 'another sesame 2')
    expect(await latchkey.sessions.verify(session.secret.reveal())).toBeNull()
    await expect(latchkey.tokens.verify(token.secret.reveal())).resolves.toMatchObject({
      user: { id: user.id },
    })
  })

  it.each([
    [undefined, 'ends'],
    [true, 'ends'],
    [false, 'keeps'],
  ])('with revokeOnPasswordChange %s %s JWTs with a new password, and with none', async (option, effect) => {
    const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
    const events: string[] = []
    const issuer = createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
      jwt: { signingKey: key, ...(option !== undefined && { revokeOnPasswordChange: option }) },
      onEvent: ({ kind }) => events.push(kind),
    })
    const user = await issuer.users.create({ username: 'vitor', password: 'open sesame 1' })
    for (const password of ['another sesame 2', null]) {
      const pair = await issuer.jwts?.issuePair(user)
      const sliding = await issuer.jwts?.issueSliding(user)
      await issuer.users.setPassword(user, password)
      for (const token of [pair?.access, pair?.refresh, sliding]) {
        const verified = issuer.jwts?.verify(token ?? '')
        if (effect === 'keeps') await expect(verified).resolves.toMatchObject({ user_id: user.id })
        else await expect(verified).rejects.toMatchObject({ publicMessage: 'Token is blacklisted' })
      }
      const again = await issuer.jwts?.issuePair(user)
      await expect(issuer.jwts?.verify(again?.access ?? '')).resolves.toMatchObject({ user_id: user.id })
    }
    expect(events).toEqual(effect === 'keeps' ? [] : ['jwts_revoked', 'jwts_revoked'])
  })

  it('ends JWTs of another program on the same store, and none for an upgraded hash', async () => {
    const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
    const store = memoryStore()
    const secret = 'a secret of at least thirty-two characters'
    const weaker = { preferred: argon2id({ memoryKib: 256, passes: 1 }) }
    const stronger = { preferred: argon2id({ memoryKib: 512, passes: 1 }) }
    const issuer = createLatchkey({ store, secret, passwords: stronger, jwt: { signingKey: key } })
    const other = createLatchkey({ store, secret, passwords: weaker })
    const user = await other.users.create({ username: 'vitor', password: 'open sesame 1' })
    const pair = await issuer.jwts?.issuePair(user)
    const before = (await store.users.findById(user.id))?.passwordHash
    const login = { username: 'vitor', password: 'open sesame 1', address: '192.0.2.1' }
    expect(await issuer.login.login(login)).not.toBeNull()
    expect((await store.users.findById(user.id))?.passwordHash).not.toBe(before)
    await expect(issuer.jwts?.verify(pair?.access ?? '')).resolves.toMatchObject({ user_id: user.id })
    await other.users.setPassword(user, 'another sesame 2')
    await expect(issuer.jwts?.verify(pair?.access ?? '')).rejects.toMatchObject({
      publicMessage: 'Token is blacklisted',
    })
  })

  it('leaves the JWTs of an own users table alone, whose ids are others', async () => {
    const key = signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' })
    const [store, table] = [memoryStore(), memoryStore()]
    const issuer = createLatchkey({
      store,
      secret: 'a secret of at least thirty-two characters',
      users: table.users,
      jwt: { signingKey: key },
    })
    const stored = await issuer.users.create({ username: 'ana' })
    const pair = await issuer.jwts?.issuePair({ ...stored, username: 'somebody else' })
    await issuer.users.setPassword(stored, 'another sesame 2')
    await expect(issuer.jwts?.verify(pair?.access ?? '')).resolves.toMatchObject({ user_id: stored.id })
  })

  it('says so when there is no such user', async () => {
    for (const change of [
      latchkey.users.activate(9),
      latchkey.users.deactivate(9),
      latchkey.users.update(9, { email: '' }),
      latchkey.users.setPassword(9, 'open sesame 1'),
    ]) {
      await expect(change).rejects.toMatchObject({ code: 'not_found' })
    }
    expect(await latchkey.users.get(9)).toBeNull()
    expect(await latchkey.users.delete(9)).toBe(false)
  })
})
