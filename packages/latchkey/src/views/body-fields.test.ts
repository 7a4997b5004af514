import { describe, expect, it } from 'vitest'
import { readBodyFields } from './body-fields.js'
import { JsonFloat } from './json-float.js'

describe('readBodyFields', () => {
  const read = (data: unknown) => readBodyFields(data, ['name', 'scopes'])

  it('gives the known members that are there, of any type', () => {
    expect(read({})).toEqual({})
    expect(read({ name: null, scopes: [1] })).toEqual({ name: null, scopes: [1] })
    expect(Object.keys(read({ scopes: undefined }))).toEqual(['scopes'])
  })

  it('refuses what it does not know, by name, and takes nothing that is inherited', () => {
    const fields = { user: ['This field cannot be set.'] }
    expect(() => read({ name: 'x', user: 1 })).toThrow(expect.objectContaining({ code: 'invalid', fields }))
    expect(read(Object.create({ name: 'inherited', user: 1 }))).toEqual({})
  })

  it('lets a browser’s form say that it was meant', () => {
    expect(read({ name: 'x', csrfmiddlewaretoken: 'c'.repeat(32) })).toEqual({ name: 'x' })
  })

  it.each([null, undefined, 1, 1n, 'x', true, [], [{ name: 'x' }], new JsonFloat(1.5)])(
    'refuses %s',
    (data) => {
      const fields = { non_field_errors: ['Invalid data. Expected a dictionary.'] }
      expect(() => read(data)).toThrow(expect.objectContaining({ code: 'invalid', fields }))
    },
  )
})
