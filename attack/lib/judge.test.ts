/** The judge of the attack suite notices what it is there for, and reads answers as they come over a connection. */
import { describe, expect, it } from 'vitest'
import { faultsOf } from './judge.mjs'
import { seededRandom } from './random.mjs'
import { parseAnswers, requestBytes } from './wire.mjs'

const answer = (status: number, body: string) =>
  `HTTP/1.1 ${status} Text\r\nContent-Length: ${body.length}\r\n\r\n${body}`

const judge = (
  text: string,
  attack: Partial<Parameters<typeof faultsOf>[0]> = {},
  sent = 'GET / HTTP/1.1\r\n',
) =>
  faultsOf(
    { name: 'attack', ...attack },
    { answers: parseAnswers(text), text, closed: true },
    { secrets: ['hidden'], sent, echoesPaths: true },
  )

describe('the judge', () => {
  it('accepts refusals, and the handlers that an attack names', () => {
    expect(judge(answer(401, '{}') + answer(302, ''))).toEqual([])
    expect(judge(answer(200, 'REACHED:alice;'), { reached: ['alice'] })).toEqual([])
    expect(judge(answer(503, ''), { statuses: [503] })).toEqual([])
    expect(judge('')).toEqual([])
  })

  it.each([
    ['a handler that is reached', answer(200, 'REACHED:alice;'), {}],
    ['one behind a refusal on the same connection', answer(401, '') + answer(200, 'REACHED:nobody;'), {}],
    ['another user', answer(200, 'REACHED:root;'), { reached: ['alice'] }],
    ['a valid credential that is refused', answer(401, ''), { reached: ['alice'] }],
    ['one more than expected', answer(200, 'REACHED:alice;').repeat(2), { reached: ['alice'] }],
    ['a crash', answer(500, ''), {}],
    ['an answer that is not listed', answer(503, ''), { statuses: [501] }],
    ['success without a handler', answer(200, ''), {}],
    ['a secret', answer(401, 'hidden'), {}],
    ['no HTTP', 'nonsense', {}],
  ])('finds %s', (_, text, attack) => {
    expect(judge(text, attack)).toHaveLength(1)
  })

  it('lets only the page of an unknown path repeat what stood in the path', () => {
    expect(judge(answer(404, '/hidden'), {}, 'GET /hidden HTTP/1.1\r\n')).toEqual([])
    expect(judge(answer(404, '/hidden'), {}, 'GET / HTTP/1.1\r\nX: hidden\r\n')).toHaveLength(1)
  })
})

it('answers of one connection are told apart, with every framing', () => {
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const text = `${answer(401, 'x')}HTTP/1.1 204 No\r\n\r\n${chunked}HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\nrest`
  expect(parseAnswers(text).map(({ status }) => status)).toEqual([401, 204, 200, 400])
})

it('a request is sent as it is written, and the same seed chooses the same', () => {
  const request = { method: 'POST', path: '/%2f', headers: [['X', '\u00e9']] as const, body: 'ab' }
  expect(requestBytes(request).toString('latin1')).toBe(
    'POST /%2f HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX: \u00e9\r\nContent-Length: 2\r\n\r\nab',
  )
  const numbers = () => {
    const { below } = seededRandom(5)
    return Array.from({ length: 20 }, () => below(1000))
  }
  expect(numbers()).toEqual(numbers())
  expect(new Set(numbers()).size).toBeGreaterThan(10)
})
