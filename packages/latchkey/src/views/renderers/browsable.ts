/** Renders an answer as a page for people: what was asked, what came back. No scripts, no forms, no secrets. */
import { createHash } from 'node:crypto'
import { jsonText } from './json.js'
import type { RenderContext, Renderer } from './renderer.js'

/** The JSON of the page is indented by this many blanks, as on DRF's page. */
const PAGE_INDENT = 4

/** The whole style of the page. Colours are the browser's own, so contrast and dark mode are the reader's choice. */
const STYLE = [
  ':root{color-scheme:light dark;font-family:system-ui,sans-serif;line-height:1.5}',
  'body{margin:0 auto;max-width:60rem;padding:1rem}',
  'header{border-bottom:1px solid;padding-bottom:.5rem}',
  'pre{border:1px solid;border-radius:.25rem;overflow:auto;padding:1rem;font-family:ui-monospace,monospace}',
  'pre:focus-visible{outline:3px solid Highlight}',
].join('')

/**
 * The policy of the page: nothing is loaded, run, submitted or framed; the one inline style is allowed by its hash.
 * Sent with every page.
 */
export const BROWSABLE_CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** HTML for `Accept: text/html` and `?format=api`: DRF's browsable API, read only. It shows the JSON answer. */
export function browsableRenderer(): Renderer {
  return {
    mediaType: 'text/html',
    format: 'api',
    contentType: 'text/html; charset=utf-8',
    // The page names the user, who may have come by a session cookie.
    varyOn: 'Cookie',
    render: (data, context) => ({
      body: page(data, context),
      headers: [['Content-Security-Policy', BROWSABLE_CONTENT_SECURITY_POLICY]],
      // A 204 must not have a body, and a browser would stay on the page before.
      ...(context.status === 204 && { status: 200 }),
    }),
  }
}

function page(data: unknown, context: RenderContext): string {
  const json = jsonText(data, PAGE_INDENT)
  const headers =
    json === null ? context.headers : [...context.headers, ['Content-Type', 'application/json'] as const]
  const name = escapeHtml(context.viewName)
  const user = context.username === null ? 'Not signed in' : `Signed in as ${escapeHtml(context.username)}`
  const statusLine = `HTTP ${context.status} ${REASONS.get(context.status) ?? ''}`.trim()
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, noarchive">
<title>${name} – Latchkey</title>
<style>${STYLE}</style>
</head>
<body>
<header>${user}</header>
<main>
<h1>${name}</h1>
${paragraphs(context.viewDescription)}<h2>Request</h2>
<pre role="region" aria-label="Request" tabindex="0"><b>${escapeHtml(context.method)}</b> ${escapeHtml(context.path)}</pre>
<h2>Response</h2>
<pre role="region" aria-label="Response" tabindex="0"><b>${statusLine}</b>
${headerLines(headers)}
${escapeHtml(json ?? '')}</pre>
</main>
</body>
</html>
`
}

function paragraphs(description: string): string {
  return description
    .split(/\n{2,}/)
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => `<p>${escapeHtml(text)}</p>\n`)
    .join('')
}

/** Headers whose values are public by their meaning. Of any other header the page says only that it is there. */
const PUBLIC_HEADERS: ReadonlySet<string> = new Set([
  'allow',
  'cache-control',
  'content-language',
  'content-type',
  'date',
  'deprecation',
  'etag',
  'last-modified',
  'pragma',
  'retry-after',
  'sunset',
  'vary',
  'www-authenticate',
])

function headerLines(headers: RenderContext['headers']): string {
  return headers
    .map(([name, value]) => ({ name, shown: PUBLIC_HEADERS.has(name.toLowerCase()) ? value : '(not shown)' }))
    .sort((one, other) => (one.name.toLowerCase() < other.name.toLowerCase() ? -1 : 1))
    .map(({ name, shown }) => `<b>${escapeHtml(name)}:</b> ${escapeHtml(shown)}\n`)
    .join('')
}

/** The reason phrases of RFC 9110 for what views answer. */
const REASONS: ReadonlyMap<number, string> = new Map([
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [204, 'No Content'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [409, 'Conflict'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [415, 'Unsupported Media Type'],
  [429, 'Too Many Requests'],
  [500, 'Internal Server Error'],
  [503, 'Service Unavailable'],
])

const HTML_ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => HTML_ESCAPES[char] ?? char)
}
