import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BROWSABLE_CONTENT_SECURITY_POLICY, browsableRenderer } from './browsable.js'
import { jsonRenderer } from './json.js'
import type { RenderContext } from './renderer.js'

const CONTEXT: RenderContext = {
  mediaType: 'application/json',
  status: 200,
  headers: [],
  method: 'GET',
  path: '/hello/',
  viewName: 'Hello',
  viewDescription: '',
  username: null,
}

describe('jsonRenderer', () => {
  const render = (mediaType: string) => jsonRenderer().render({ a: 1 }, { ...CONTEXT, mediaType }).body

  it.each([
    ['application/json', '{"a":1}'],
    ['application/json; indent=4', '{\n    "a": 1\n}'],
    ['application/json;indent=99', `{\n${' '.repeat(8)}"a": 1\n}`],
    ['application/json;indent= +2 ', '{\n  "a": 1\n}'],
    ['application/json; indent=0', '{"a":1}'],
    ['application/json; indent=-3', '{"a":1}'],
    ['application/json; indent=wide', '{"a":1}'],
    ['application/json; indent=4.5', '{"a":1}'],
  ])('renders %s', (mediaType, expected) => {
    expect(render(mediaType)).toBe(expected)
  })

  it('has no body for no data, and one for every other value', () => {
    for (const data of [undefined, null]) expect(jsonRenderer().render(data, CONTEXT).body).toBeNull()
    expect(jsonRenderer().render(false, CONTEXT).body).toBe('false')
    expect(jsonRenderer().render('', CONTEXT).body).toBe('""')
  })
})

describe('browsableRenderer', () => {
  const page = (data: unknown, context: Partial<RenderContext> = {}) =>
    String(browsableRenderer().render(data, { ...CONTEXT, ...context }).body)

  it('shows the view, the request and the answer', () => {
    const html = page(
      { message: 'Hello' },
      {
        headers: [
          ['Vary', 'Accept'],
          ['Allow', 'GET, HEAD, OPTIONS'],
        ],
        viewDescription: 'Says hello.\n\nTwice.',
        username: 'vitor',
      },
    )
    expect(html).toContain('<h1>Hello</h1>')
    expect(html).toContain('<p>Says hello.</p>\n<p>Twice.</p>')
    expect(html).toContain('<b>GET</b> /hello/')
    expect(html).toContain('<b>HTTP 200 OK</b>')
    expect(html).toContain('{\n    &quot;message&quot;: &quot;Hello&quot;\n}')
    expect(html).toContain('Signed in as vitor')
    expect(html).toMatch(/Allow:[\s\S]*Content-Type:<\/b> application\/json[\s\S]*Vary:/)
  })

  it('is a complete page with a language, a title and labelled regions', () => {
    const html = page({})
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/)
    expect(html).toMatch(/<title>[^<]+<\/title>/)
    expect(html).toContain('<main>')
    expect(html.match(/role="region" aria-label="[A-Z][a-z]+" tabindex="0"/g)).toHaveLength(2)
  })

  it('escapes everything it is given', () => {
    const hostile = fc.constantFrom('<script>', '"', "'", '&lt;', '</pre>', '<img src=x onerror=y>')
    fc.assert(
      fc.property(
        fc.array(hostile).map((parts) => parts.join('')),
        (text) => {
          const html = page(
            { [text]: text },
            {
              viewName: text,
              viewDescription: text,
              path: text,
              method: text,
              username: text,
              headers: [
                ['Allow', text],
                [text, 'x'],
              ],
            },
          )
          expect(html).not.toMatch(/<script|<img|onerror=y>/)
          expect(html.match(/<\/pre>/g)).toHaveLength(2)
        },
      ),
    )
  })

  it('never shows the value of a header that may be secret', () => {
    const html = page(
      {},
      {
        headers: [
          ['Set-Cookie', 'sessionid=hunter2'],
          ['X-Api-Key', 'hunter2'],
          ['Location', '/?token=hunter2'],
        ],
      },
    )
    expect(html).not.toContain('hunter2')
    expect(html).toContain('<b>Set-Cookie:</b> (not shown)')
  })

  it('allows its own style and nothing else', () => {
    const html = page({})
    const styles = [...html.matchAll(/<style>([\s\S]*?)<\/style>/g)].map((match) => match[1] ?? '')
    expect(styles).toHaveLength(1)
    const hash = createHash('sha256')
      .update(styles[0] ?? '')
      .digest('base64')
    expect(BROWSABLE_CONTENT_SECURITY_POLICY).toContain(`style-src 'sha256-${hash}'`)
    expect(BROWSABLE_CONTENT_SECURITY_POLICY).toContain("default-src 'none'")
    expect(html).not.toMatch(/<script|<form|style="|<link|src=/)
    expect(browsableRenderer().render({}, CONTEXT).headers).toContainEqual([
      'Content-Security-Policy',
      BROWSABLE_CONTENT_SECURITY_POLICY,
    ])
  })

  it('answers 200 with a page where JSON has no content', () => {
    const rendered = browsableRenderer().render(undefined, { ...CONTEXT, status: 204 })
    expect(rendered.status).toBe(200)
    expect(rendered.body).toContain('HTTP 204 No Content')
    expect(rendered.body).not.toContain('Content-Type')
  })

  it('depends on cookies', () => {
    expect(browsableRenderer().varyOn).toBe('Cookie')
  })
})
