import { expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { isAuthenticated } from '../permissions/is-authenticated.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { basicAuthentication } from './basic.js'

it('takes no credentials without a colon for an empty password', async () => {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    authentication: [basicAuthentication()],
    passwords: { preferred: argon2id({ memoryKib: 512, passes: 1 }) },
  })
  await latchkey.users.create({ username: 'vitor', password: '', allowWeakPassword: true })
  const gate = latchkey.gate([isAuthenticated])
  const outcome = async (credentials: string) => {
    const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
    const { identity, refusal } = await gate(fakeRequest({ headers: { authorization } }))
    return identity?.user?.username ?? String(refusal?.body)
  }
  expect(await outcome('vitor:')).toBe('vitor')
  expect(await outcome('vitor')).toBe('{"detail":"Invalid username/password."}')
})
