import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { isLatchkeyError, LatchkeyError } from '../errors.js'
import { createLatchkey, type Latchkey } from '../latchkey.js'
import { allowAny } from '../permissions/allow-any.js'
import { permission } from '../permissions/permission.js'
import { memoryStore } from '../stores/memory.js'
import { fakeRequest } from '../testing/fake-request.js'
import { apiView } from './api-view.js'
import { type ErrorListener, type ExceptionHandler, safeListener } from './error-answer.js'
import { response } from './response.js'

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

it('lets an app reshape the answer to an error, and keeps the usual one where it fails', async () => {
  const told: unknown[] = []
  const build = (exceptionHandler: ExceptionHandler) =>
    createLatchkey({
      store: memoryStore(),
      secret: 'a secret of at least thirty-two characters',
      onError: (error) => told.push(error),
      exceptionHandler,
    })
  const ask = async (latchkey: Latchkey) => {
    const closed = await latchkey.handler(apiView({ get: () => ({}) }))(fakeRequest())
    const { refusal } = await latchkey.gate()(fakeRequest())
    return [closed, refusal].map((answer) => [answer?.status, answer?.body, new Map(answer?.headers)])
  }
  const reshaping = build((error, usual, { method, path }) => {
    const code = isLatchkeyError(error) ? error.code : 'unknown'
    return response({ error: { code, method, path } }, { ...usual, status: usual.status + 1 })
  })
  for (const [status, body, headers] of await ask(reshaping)) {
    expect([status, body]).toEqual([402, '{"error":{"code":"not_authenticated","method":"GET","path":"/"}}'])
    expect(headers).toContainEqual(['WWW-Authenticate', 'Token'])
  }
  const crash = () => {
    throw failed
  }
  const rejects = () => Promise.reject(failed)
  for (const careless of [crash, rejects, () => undefined]) {
    for (const [status, body] of await ask(Reflect.apply(build, undefined, [careless])))
      expect([status, body]).toEqual([401, '{"detail":"Authentication credentials were not provided."}'])
  }
  const [view, gate] = await ask(build(() => response(Number.NaN)))
  expect([view?.[0], gate?.[0]]).toEqual([500, 401])
  // Of a promise it is told twice: that it is no answer, and why it was broken.
  expect(told).toHaveLength(10)
})

it('sends what an error or a handler says of headers, in views and guards alike', async () => {
  const cookies = ['a=1; Path=/', 'b=2; Path=/']
  const latchkey = createLatchkey({
    store: memoryStore(),
    secret: 'a secret of at least thirty-two characters',
    permissions: [
      permission('Cookies', () => {
        throw new LatchkeyError('permission_denied', { headers: { 'Set-Cookie': cookies } })
      }),
    ],
    exceptionHandler: (_error, usual) =>
      response(usual.data, {
        ...usual,
        headers: { ...usual.headers, 'content-type': 'application/problem+json', Allow: 'PATCH' },
      }),
  })
  const view = await latchkey.handler(apiView({ get: () => ({}) }))(fakeRequest())
  const { refusal } = await latchkey.gate()(fakeRequest())
  for (const answer of [view, refusal]) {
    const named = (name: string) =>
      (answer?.headers ?? []).filter(([one]) => one.toLowerCase() === name).map(([, value]) => value)
    expect([answer?.status, named('set-cookie')]).toEqual([403, cookies])
    expect(named('content-type')).toEqual(['application/problem+json'])
    expect(named('allow')).toEqual(answer === view ? ['GET, HEAD, OPTIONS'] : [])
  }
})
