import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isLatchkeyError } from '../errors.js'
import { charField, fieldsMetadata, validateFields } from './fields.js'
import { parseJson } from './json.js'
import { UploadedFile } from './parsers/uploaded-file.js'

const FIELDS = {
  username: charField({ label: 'Username' }),
  password: charField({ label: 'Password', trim: false }),
  token: charField({ label: 'Token', readOnly: true }),
}

function check(data: unknown): unknown {
  try {
    return validateFields(FIELDS, data)
  } catch (error) {
    if (!isLatchkeyError(error, 'invalid')) throw error
    return error.fields
  }
}

const checkJson = (text: string) => check(parseJson(text, { exactNumbers: true }))

describe('validateFields', () => {
  it('returns the declared fields and nothing else', () => {
    const { username, password } = validateFields(FIELDS, {
      username: 'v',
      password: 'p',
      token: 't',
      more: 1,
    })
    expect({ username, password }).toEqual({ username: 'v', password: 'p' })
    expect(check({ username: 'v', password: 'p', token: 't', more: 1 })).toEqual({
      username: 'v',
      password: 'p',
    })
  })

  it('trims the white space of Python at both ends, and only where asked to', () => {
    const blanks = '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000'
    expect(check({ username: `${blanks}v ${blanks}`, password: ' p ' })).toEqual({
      username: 'v',
      password: ' p ',
    })
    expect(check({ username: '\ufeffv\u200b', password: 'p' })).toEqual({
      username: '\ufeffv\u200b',
      password: 'p',
    })
  })

  const REQUIRED = ['This field is required.']
  const BLANK = ['This field may not be blank.']
  const NULL = ['This field may not be null.']
  const INVALID = ['Not a valid string.']
  it.each([
    ['{}', { username: REQUIRED, password: REQUIRED }],
    ['{"username":"","password":""}', { username: BLANK, password: BLANK }],
    ['{"username":"  ","password":"  "}', { username: BLANK }],
    ['{"username":null,"password":null}', { username: NULL, password: NULL }],
    ['{"username":null}', { username: NULL, password: REQUIRED }],
    ['{"username":true,"password":false}', { username: INVALID, password: INVALID }],
    ['{"username":[],"password":{}}', { username: INVALID, password: INVALID }],
    ['{"username":"a\\u0000","password":"p"}', { username: ['Null characters are not allowed.'] }],
    [
      '{"username":"\\ud800x\\udfff","password":"p"}',
      { username: ['Surrogate characters are not allowed: U+D800.'] },
    ],
    [
      '{"username":"\\u0000\\udc00","password":"p"}',
      { username: ['Null characters are not allowed.', 'Surrogate characters are not allowed: U+DC00.'] },
    ],
    ['[]', { non_field_errors: ['Invalid data. Expected a dictionary, but got list.'] }],
    ['"s"', { non_field_errors: ['Invalid data. Expected a dictionary, but got str.'] }],
    ['5', { non_field_errors: ['Invalid data. Expected a dictionary, but got int.'] }],
    ['99999999999999999999', { non_field_errors: ['Invalid data. Expected a dictionary, but got int.'] }],
    ['1.0', { non_field_errors: ['Invalid data. Expected a dictionary, but got float.'] }],
    ['true', { non_field_errors: ['Invalid data. Expected a dictionary, but got bool.'] }],
    ['null', { non_field_errors: ['No data provided'] }],
  ])('answers %s with the messages of DRF', (text, expected) => {
    expect(checkJson(text)).toEqual(expected)
  })

  it.each([
    ['12345', '12345'],
    ['0', '0'],
    ['67890.0', '67890.0'],
    ['6.789e4', '67890.0'],
    ['1e400', 'inf'],
    ['12345678901234567890', '12345678901234567890'],
  ])('takes the number %s as the text %s', (number, text) => {
    expect(checkJson(`{"username":"v","password":${number}}`)).toEqual({ username: 'v', password: text })
  })

  it('takes an escaped surrogate pair as one character', () => {
    expect(checkJson('{"username":"v","password":"\\ud83d\\udd11"}')).toEqual({
      username: 'v',
      password: '🔑',
    })
  })

  it('does not take a file for text', () => {
    const file = new UploadedFile('u.txt', '', new Uint8Array(1))
    expect(check({ username: file, password: 'p' })).toEqual({ username: INVALID })
  })

  it('reads own members only', () => {
    const inherited = Object.create({ username: 'v', password: 'p' })
    expect(check(inherited)).toEqual({ username: REQUIRED, password: REQUIRED })
    const odd = { constructor: charField({ label: 'C' }), toString: charField({ label: 'T' }) }
    expect(() => validateFields(odd, {})).toThrow(expect.objectContaining({ code: 'invalid' }))
  })

  it('checks lengths in code points, after trimming', () => {
    const fields = { name: charField({ label: 'Name', minLength: 2, maxLength: 3 }) }
    expect(validateFields(fields, { name: ' 🔑🔑🔑 ' })).toEqual({ name: '🔑🔑🔑' })
    const failing = (name: string) => () => validateFields(fields, { name })
    expect(failing('abcd')).toThrow('Ensure this field has no more than 3 characters.')
    expect(failing('a')).toThrow('Ensure this field has at least 2 characters.')
  })

  it('leaves an optional field undefined', () => {
    const fields = { note: charField({ label: 'Note', required: false }) }
    expect(validateFields(fields, {}).note).toBeUndefined()
  })

  it('gives texts or an `invalid` refusal for any data', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (data) => {
        const result = check(data)
        expect(typeof result).toBe('object')
      }),
    )
  })
})

describe('charField', () => {
  it('refuses a field without a label', () => {
    expect(() => charField({ label: '' })).toThrow(TypeError)
  })
})

describe('fieldsMetadata', () => {
  it('describes fields as OPTIONS does', () => {
    expect(
      fieldsMetadata({ ...FIELDS, more: charField({ label: 'More', helpText: 'Help.', maxLength: 9 }) }),
    ).toEqual({
      username: { type: 'string', required: true, read_only: false, label: 'Username' },
      password: { type: 'string', required: true, read_only: false, label: 'Password' },
      token: { type: 'string', required: false, read_only: true, label: 'Token' },
      more: {
        type: 'string',
        required: true,
        read_only: false,
        label: 'More',
        help_text: 'Help.',
        max_length: 9,
      },
    })
  })
})
