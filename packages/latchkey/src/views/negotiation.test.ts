import { describe, expect, it } from 'vitest'
import { isLatchkeyError } from '../errors.js'
import { requestedFormat, selectRenderer } from './negotiation.js'

const JSON_RENDERER = { mediaType: 'application/json', format: 'json' }
const HTML_RENDERER = { mediaType: 'text/html', format: 'api' }
const BOTH = [JSON_RENDERER, HTML_RENDERER]
const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

function select(accept: string | undefined, format?: string, renderers = BOTH): string {
  try {
    return selectRenderer(renderers, { accept, format }).mediaType
  } catch (error) {
    return isLatchkeyError(error) ? error.code : String(error)
  }
}

describe('selectRenderer', () => {
  it.each([
    [undefined, 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json;q=1', 'application/*;q=1'],
    ['text/html', 'text/html'],
    [BROWSER, 'text/html'],
    ['text/html;q=1.0, application/json;q=0.1', 'application/json;q=0.1'],
    ['application/json;q=0', 'application/json;q=0'],
    ['application/json; indent=4', 'application/json; indent=4'],
    ['text/html, application/json; indent=4', 'application/json; indent=4'],
    ['*/*; indent=2', 'application/json;indent=2'],
    ['*/*;q=0.1', 'application/json;q=0.1'],
    ['text/plain', 'not_acceptable'],
    ['', 'not_acceptable'],
    ['garbage', 'not_acceptable'],
    ['*', 'not_acceptable'],
  ])('answers Accept %j with %s', (accept, expected, sent = accept) => {
    expect(select(sent)).toBe(expected)
  })

  it('narrows the choice by the format and still applies Accept', () => {
    expect(select(undefined, 'api')).toBe('text/html')
    expect(select(BROWSER, 'json')).toBe('application/json;q=0.8')
    expect(select('text/html', 'json')).toBe('not_acceptable')
  })

  it('does not know other formats, whatever is accepted', () => {
    expect(select('text/html', 'xml')).toBe('not_found')
    expect(select(undefined, 'api', [JSON_RENDERER])).toBe('not_found')
    expect(select(undefined, '')).toBe('application/json')
  })
})

describe('requestedFormat', () => {
  it.each([
    ['', undefined],
    ['page=2', undefined],
    ['format=json', 'json'],
    ['format=json&format=api', 'api'],
    ['format=json&format=', undefined],
    ['form%61t=api', 'api'],
    ['FORMAT=api', undefined],
    ['xformat=api', undefined],
  ])('reads %j as %s', (query, expected) => {
    expect(requestedFormat(query)).toBe(expected)
  })

  it('lets the suffix of the path win', () => {
    expect(requestedFormat('format=api', 'json')).toBe('json')
  })
})
