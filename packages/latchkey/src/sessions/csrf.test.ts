import { describe, expect, it } from 'vitest'
import { type CsrfRequest, csrfFailure, newCsrfToken } from './csrf.js'

const SECRET = 'abcdefghijklmnopqrstuvwxyzABCDEF'
/** Mask `a…a` (index 0) leaves the secret as it is. */
const MASKED = 'a'.repeat(32) + SECRET

function request(changes: Partial<CsrfRequest> & { headers?: Record<string, string> } = {}): CsrfRequest {
  const { headers = {}, ...rest } = changes
  return {
    method: 'POST',
    secure: false,
    cookie: SECRET,
    headerName: 'x-csrftoken',
    header: (name) => headers[name],
    formField: () => Promise.resolve(''),
    ...rest,
  }
}

describe('csrfFailure', () => {
  it.each(['GET', 'HEAD', 'OPTIONS', 'TRACE'])('lets %s pass', async (method) => {
    expect(await csrfFailure(request({ method, cookie: undefined }))).toBeNull()
  })

  it('accepts the token as a header or as a form field, masked or not', async () => {
    for (const token of [SECRET, MASKED]) {
      for (const cookie of [SECRET, MASKED]) {
        expect(await csrfFailure(request({ cookie, headers: { 'x-csrftoken': token } }))).toBeNull()
        expect(await csrfFailure(request({ cookie, formField: () => Promise.resolve(token) }))).toBeNull()
      }
    }
    const fresh = newCsrfToken()
    expect(await csrfFailure(request({ cookie: fresh, headers: { 'x-csrftoken': fresh } }))).toBeNull()
  })

  it('asks for a form field of POST only', async () => {
    const formField = () => Promise.resolve(SECRET)
    expect(await csrfFailure(request({ method: 'PUT', formField }))).toBe('CSRF token missing or incorrect.')
  })

  it.each([
    ['no cookie', { cookie: undefined }, 'CSRF cookie not set.'],
    ['no token', {}, 'CSRF token missing or incorrect.'],
    ['another token', { headers: { 'x-csrftoken': 'z'.repeat(32) } }, 'CSRF token missing or incorrect.'],
    [
      'a short token',
      { headers: { 'x-csrftoken': 'abc' }, cookie: 'abc' },
      'CSRF token missing or incorrect.',
    ],
    ['an empty pair', { cookie: '' }, 'CSRF token missing or incorrect.'],
    [
      'characters outside',
      { headers: { 'x-csrftoken': '!'.repeat(32) }, cookie: '!'.repeat(32) },
      'CSRF token missing or incorrect.',
    ],
  ])('refuses %s', async (_, changes, expected) => {
    expect(await csrfFailure(request(changes))).toBe(expected)
  })

  it.each([
    [undefined, 'Referer checking failed - no Referer.'],
    ['nonsense', 'Referer checking failed - Referer is malformed.'],
    ['http://example.com/', 'Referer checking failed - Referer is insecure while host is secure.'],
    [
      'https://evil.example/',
      'Referer checking failed - https://evil.example/ does not match any trusted origins.',
    ],
    ['https://example.com/page', null],
  ])('over TLS judges the Referer %s', async (referer, expected) => {
    const headers = {
      host: 'example.com',
      'x-csrftoken': SECRET,
      ...(referer === undefined ? {} : { referer }),
    }
    expect(await csrfFailure(request({ secure: true, headers }))).toBe(expected)
  })

  it.each([
    ['http://example.com', false, true],
    ['https://example.com', false, true],
    ['https://example.com', true, true],
    ['http://example.com', true, false],
    ['https://example.com:8443', true, false],
    ['https://example.com.evil.example', true, false],
    ['https://api.example.com', false, false],
    ['null', false, false],
    ['', false, false],
    ['https://example.com,https://example.com', true, false],
    ['\u00ff\u0000', true, false],
    [`https://${'x'.repeat(100_000)}`, true, false],
  ])('judges the Origin %.40s, TLS %s: of this host %s', async (origin, secure, isOurs) => {
    const headers = { host: 'example.com', origin, 'x-csrftoken': SECRET }
    const failure = await csrfFailure(request({ secure, headers }))
    if (isOurs) expect(failure).toBeNull()
    else {
      expect(failure).toMatch(/^Origin checking failed - .* does not match any trusted origins\.$/s)
      expect(failure?.length).toBeLessThan(300)
    }
  })

  it('asks for the Referer only where there is no Origin', async () => {
    const headers = { host: 'example.com', origin: 'https://example.com', referer: 'https://evil.example/' }
    expect(
      await csrfFailure(request({ secure: true, headers: { ...headers, 'x-csrftoken': SECRET } })),
    ).toBeNull()
    expect(await csrfFailure(request({ secure: true, headers }))).toBe('CSRF token missing or incorrect.')
  })
})
