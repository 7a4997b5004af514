import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { allowAny } from '../permissions/allow-any.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from './api-view.js'
import { type ErrorListener, safeListener } from './error-answer.js'

const failed = new Error('the listener failed')
const LISTENERS: Readonly<Record<string, ErrorListener>> = {
  throws: () => {
    throw failed
  },
  rejects: () => Promise.reject(failed),
}

it.each(Object.entries(LISTENERS))(
  'a listener that %s breaks no answer and is told of',
  async (_how, listener) => {
    const troubles: unknown[] = []
    const where = { method: 'GET', path: '/' }
    safeListener(listener, (error, request) => troubles.push([error, request]))(new Error('boom'), where)
    await setImmediate()
    expect(troubles).toEqual([[failed, where]])
  },
)

it.each(Object.entries(LISTENERS))('gate and view answer 500 when onError %s', async (_how, onError) => {
  const broken = () => {
    throw new Error('boom')
  }
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    authentication: [{ name: 'Broken', challenge: null, authenticate: broken }],
    onError,
  })
  expect(await latchkey.gate([allowAny])(fakeRequest())).toMatchObject({ refusal: { status: 500 } })
  const view = apiView({ permissions: [allowAny], authentication: [], get: broken })
  expect(await latchkey.handler(view)(fakeRequest())).toMatchObject({ status: 500 })
  await setImmediate()
})
