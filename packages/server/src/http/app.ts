/** The web application: routes to views, APPEND_SLASH, JSON 404 and 500, and Django's security headers, on Hono. */
import { type Context, Hono } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { type Handler, type Latchkey, printable, printableLines, type RouteMatch } from 'latchkey'
import { hono } from 'latchkey/hono'
import type { UrlPattern } from './urls.js'

/** An app that `serve` runs, and that tests ask by `app.request('/hello/')`. */
export function createApp(latchkey: Latchkey, urlpatterns: readonly UrlPattern[]): Hono {
  const app = new Hono({ strict: true })
  app.use(
    secureHeaders({
      xFrameOptions: 'DENY',
      referrerPolicy: 'same-origin',
      crossOriginOpenerPolicy: 'same-origin',
      crossOriginResourcePolicy: false,
      originAgentCluster: false,
      strictTransportSecurity: false,
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    }),
  )
  for (const { route, view, formatSuffixes } of urlpatterns) {
    const handler = typeof view === 'function' ? view : latchkey.handler(view)
    app.all(route, hono.endpoint(handler, matched))
    if (formatSuffixes) mountSuffixes(app, route, handler)
  }
  app.notFound((context) => redirectToSlash(app, context) ?? context.json({ detail: 'Not found.' }, 404))
  app.onError((error, context) => {
    const where = printable(`${context.req.method} ${context.req.path.slice(0, 200)}`)
    console.error(`latchkey: ${where}: ${printableLines(String(error.stack))}`)
    return context.json({ detail: 'A server error occurred.' }, 500)
  })
  return app
}

const SUFFIX = 'latchkeyFormat'

/** `/hello.json` and `/hello.json/`: the last segment of the route with `.[a-z0-9]+` behind it. */
function mountSuffixes(app: Hono, route: string, handler: Handler): void {
  const bare = route.endsWith('/') ? route.slice(0, -1) : route
  const cut = bare.lastIndexOf('/') + 1
  const last = bare.slice(cut)
  if (last === '' || last.startsWith(':'))
    throw new TypeError(`route: '${route}' cannot have format suffixes`)
  const pattern = `${bare.slice(0, cut)}:${SUFFIX}{${last.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\.[a-z0-9]+}`
  for (const suffixed of [pattern, `${pattern}/`]) app.all(suffixed, hono.endpoint(handler, matched))
}

function matched(context: Context): RouteMatch {
  const { [SUFFIX]: segment, ...params } = context.req.param() as Record<string, string>
  return segment === undefined
    ? { params }
    : { params, formatSuffix: segment.slice(segment.lastIndexOf('.') + 1) }
}

/** Django's CommonMiddleware: a path that would be found with a slash behind it is sent there, whatever the method. */
function redirectToSlash(app: Hono, context: Context): Response | undefined {
  const { path } = context.req
  if (path.endsWith('/') || app.router.match('GET', `${path}/`)[0].length <= ALWAYS_MATCHED) return undefined
  const { incoming } = (context.env ?? {}) as { readonly incoming?: { readonly url?: string } }
  const [, query] = /^[^?]*(\?.*)$/s.exec(incoming?.url ?? context.req.url) ?? []
  const location = new URL(context.req.url).pathname
    .replace(/%[0-9a-f]{2}/gi, unescapedIfPlain)
    // `//host` would be another server's address (an open redirect).
    .replace(/^\/{2,}/, '/%2F')
  return context.redirect(`${location}/${(query ?? '').replace(UNSAFE_IN_QUERY, encodeURIComponent)}`, 301)
}

/** Django's `iri_to_uri` escapes these and nothing else. */
const UNSAFE_IN_QUERY = /[^A-Za-z0-9_.~\-/#%[\]=:;$&()+,!?*@']/g

/** Django writes a path anew, in which a character that needs no escape has none. */
function unescapedIfPlain(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return /[A-Za-z0-9\-_.!~*'()$&+,:@]/.test(character) ? character : escaped
}

/** The security-headers middleware matches every path. */
const ALWAYS_MATCHED = 1
