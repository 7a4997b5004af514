/** Our own values are recognised across copies of the package, by own-property brands, and by nothing else. */
import { describe, expect, it, vi } from 'vitest'
import { ERROR_BRAND, isBranded } from './brand.js'
import { isLatchkeyError, LatchkeyError } from './errors.js'
import { isJsonFloat, JsonFloat } from './views/json-float.js'
import { stringifyJson } from './views/json-writer.js'
import { isResponse, response } from './views/response.js'

vi.resetModules()
const copy = {
  ...(await import('./errors.js')),
  ...(await import('./views/response.js')),
  ...(await import('./views/json-float.js')),
}

describe('a second copy of the package', () => {
  it('has classes of its own', () => {
    expect(new copy.LatchkeyError('busy')).not.toBeInstanceOf(LatchkeyError)
  })

  it('throws errors that the first one knows by their code', () => {
    const error: unknown = new copy.LatchkeyError('store_unavailable', { detail: 'x' })
    expect(isLatchkeyError(error)).toBe(true)
    expect(isLatchkeyError(error, 'store_unavailable')).toBe(true)
    expect(isLatchkeyError(error, 'busy')).toBe(false)
    expect(copy.isLatchkeyError(new LatchkeyError('busy'), 'busy')).toBe(true)
  })

  it('makes responses and numbers that the first one knows', () => {
    expect(isResponse(copy.response({}, { status: 201 }))).toBe(true)
    expect(isJsonFloat(new copy.JsonFloat(1))).toBe(true)
    expect(stringifyJson([new copy.JsonFloat(1), new JsonFloat(2.5)])).toBe('[1.0,2.5]')
  })
})

describe('a brand', () => {
  it('does not count on a prototype', () => {
    const child: object = Object.create(new LatchkeyError('busy'))
    expect(isBranded(child, ERROR_BRAND)).toBe(false)
    expect(isLatchkeyError(child)).toBe(false)
    Object.defineProperty(Object.prototype, ERROR_BRAND, { value: true, configurable: true })
    try {
      expect(isLatchkeyError({ code: 'busy', status: 200 })).toBe(false)
    } finally {
      Reflect.deleteProperty(Object.prototype, ERROR_BRAND)
    }
  })

  it('does not make an unknown code known', () => {
    for (const code of ['allowed', 'toString', '__proto__', 5, undefined])
      expect(isLatchkeyError(Object.defineProperty({ code }, ERROR_BRAND, { value: true }))).toBe(false)
  })

  it('is not shown with an error and not copied by spreading it', () => {
    const error = new LatchkeyError('busy')
    expect(Object.getOwnPropertySymbols({ ...error })).toEqual([])
    expect(isLatchkeyError({ ...error })).toBe(false)
  })

  it('on an incomplete response is an error of the app', () => {
    const { data, headers } = response({})
    for (const status of ['200', 99, 600, undefined, 200.5]) {
      const forged = Object.assign({ data, headers, status }, pickSymbols(response({})))
      expect(() => isResponse(forged)).toThrow(TypeError)
    }
  })
})

function pickSymbols(value: object): object {
  return Object.fromEntries(Object.getOwnPropertySymbols(value).map((key) => [key, true]))
}
