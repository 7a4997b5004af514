/** On which ready endpoints the throttles of `createLatchkey` act: those whose originals take DRF's defaults. */
import { expect, it } from 'vitest'
import { signingKey } from '../jwt/signing-key.js'
import { createLatchkey } from '../latchkey.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { throttleByAddress } from '../throttles/by-address.js'
import { throttleByUser } from '../throttles/by-user.js'
import type { View } from '../views/view.js'
import { jwks } from './jwks.js'
import * as jwt from './jwt.js'
import { knox } from './knox.js'
import { obtainAuthToken } from './obtain-auth-token.js'
import { personalTokens } from './personal-tokens.js'
import { sessionLogin } from './session/session-login.js'
import { sessionLogout } from './session/session-logout.js'

const { login, logout, logoutAll, policy: knoxPolicy } = knox()
const { collection, item, rotate, policy: personalPolicy } = personalTokens()

/** Whether the original has the default throttles, and the views. */
const ENDPOINTS: ReadonlyArray<readonly [name: string, isThrottled: boolean, make: () => View]> = [
  // DRF's view sets `throttle_classes = ()`; failed logins count all the same.
  ['obtainAuthToken', false, () => obtainAuthToken()],
  // simplejwt's views set none, so they have the defaults.
  ['tokenObtainPair', true, () => jwt.tokenObtainPair()],
  ['tokenObtainPair, cookies', true, () => jwt.tokenObtainPair({ cookies: true })],
  ['tokenObtainSliding', true, () => jwt.tokenObtainSliding()],
  ['tokenRefresh', true, () => jwt.tokenRefresh()],
  ['tokenRefresh, cookies', true, () => jwt.tokenRefresh({ cookies: true })],
  ['tokenRefreshSliding', true, () => jwt.tokenRefreshSliding()],
  ['tokenVerify', true, () => jwt.tokenVerify()],
  ['tokenBlacklist', true, () => jwt.tokenBlacklist()],
  ['tokenBlacklist, cookies', true, () => jwt.tokenBlacklist({ cookies: true })],
  // knox's views are plain APIViews.
  ['knox login', true, () => login],
  ['knox logout', true, () => logout],
  ['knox logoutAll', true, () => logoutAll],
  // Without an original: endpoints of an API, as any view.
  ['personal tokens', true, () => collection],
  ['personal token', true, () => item],
  ['personal token rotation', true, () => rotate],
  ['sessionLogin', true, () => sessionLogin()],
  ['sessionLogout', true, () => sessionLogout()],
  // Public keys, which other servers fetch; `Cache-Control` bounds how often.
  ['jwks', false, () => jwks()],
]

it.each(ENDPOINTS)('%s: default throttles act: %s', async (_, isThrottled, make) => {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    policies: [knoxPolicy, personalPolicy],
    jwt: {
      signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
    },
    // One for each stage; the first acts before a credential is looked at.
    throttles: [throttleByAddress('3/hour'), throttleByUser('1/hour')],
  })
  const handler = latchkey.handler(make())
  const isOver = async () => (await handler(fakeRequest({ method: 'POST', body: '{}' }))).status === 429
  const answers = [await isOver(), await isOver(), await isOver(), await isOver()]
  expect([answers[0], answers[3]]).toEqual([false, isThrottled])
})

it('a throttle of its own, or none, takes the place of the defaults', async () => {
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    jwt: {
      signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
    },
    throttles: [throttleByUser('1/hour')],
  })
  const handler = latchkey.handler(jwt.tokenVerify({ throttles: [] }))
  for (let count = 0; count < 3; count += 1) {
    expect((await handler(fakeRequest({ method: 'POST' }))).status).toBe(400)
  }
})
