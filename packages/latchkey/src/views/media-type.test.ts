import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { trimAscii } from '../python-text.js'
import { matchesMediaType, mediaTypePrecedence, parseHeader, parseMediaType } from './media-type.js'

describe('parseHeader', () => {
  it('reads the value in lower case and parameters with and without quotes', () => {
    const { value, parameters } = parseHeader(' Application/JSON ; Charset="utf-8"; indent = 4;;x')
    expect(value).toBe('application/json')
    expect([...parameters]).toEqual([
      ['charset', 'utf-8'],
      ['indent', '4'],
    ])
  })

  it('keeps semicolons and escaped quotes inside quotes', () => {
    const { parameters } = parseHeader(String.raw`form-data; name="a;b"; filename="C:\\x\"y.txt"`)
    expect(parameters.get('name')).toBe('a;b')
    expect(parameters.get('filename')).toBe(String.raw`C:\x"y.txt`)
  })

  it('decodes the extended form and drops one in an unknown charset', () => {
    const header = parseHeader("form-data; filename*=UTF-8''n%C3%A4me; other*=nonsense''%41; plain*=x")
    expect(header.parameters.get('filename')).toBe('näme')
    expect(header.extended.has('filename')).toBe(true)
    expect(header.parameters.has('other')).toBe(false)
    expect(header.parameters.get('plain')).toBe('x')
  })

  it.each([
    ["name*=nonsense''x", 'x'],
    ["name*=''4", '4'],
    ["name*=utf-8''\xc3\xa9%C3%A9", 'éé'],
    ["name*=utf-8''\xe9", undefined],
    ["name*=iso-8859-16''%41", undefined],
    ["name=x; name*=nonsense''y", 'y'],
    ["name=x; name*=nonsense''%41", 'x'],
  ])('reads %j as Python does', (parameters, expected) => {
    expect(parseHeader(`form-data; ${parameters}`).parameters.get('name')).toBe(expected)
  })

  it('takes linear time for hostile headers', () => {
    const begin = performance.now()
    for (const line of [
      ';'.repeat(200_000),
      '";'.repeat(100_001),
      ' '.repeat(200_000),
      'a="'.repeat(70_000),
    ]) {
      parseHeader(line)
    }
    expect(performance.now() - begin).toBeLessThan(2000)
  })

  it('reads any text without an error', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => void parseHeader(line)))
  })
})

describe('trimAscii', () => {
  it('leaves U+00A0 alone, which may be the last byte of a character', () => {
    expect(trimAscii('\t Ã\u00a0\r\n')).toBe('Ã\u00a0')
  })
})

describe('media types', () => {
  it.each([
    ['application/json', '*/*', true],
    ['application/json', 'application/*', true],
    ['application/json', '*/json', true],
    ['application/json', 'APPLICATION/JSON; charset=utf-8', true],
    ['application/json', '*', false],
    ['application/json', '', false],
    ['application/json', 'json', false],
    ['application/json', 'application/jsonp', false],
    ['application/json', 'application/vnd.api+json', false],
    ['text/html; level=1', 'text/html', false],
    ['text/html; level=1', 'text/html;level=1', true],
  ])('%s satisfies %s: %s', (offered, asked, expected) => {
    expect(matchesMediaType(parseMediaType(offered), parseMediaType(asked))).toBe(expected)
  })

  it.each([
    ['*/*; indent=2', 0],
    ['text/*', 1],
    ['text/html', 2],
    ['text/html;q=0.5', 2],
    ['text/html;q=0.5;level=1', 3],
  ])('%s has the precedence %d', (text, precedence) => {
    expect(mediaTypePrecedence(parseMediaType(text))).toBe(precedence)
  })
})
