/** Which view answers where: Django's `urlpatterns`, read by `createApp`. */
import type { Handler, View } from 'latchkey'

export interface PathOptions {
  /**
   * True: `/hello.json` and `/hello.json/` answer too, as with DRF's `format_suffix_patterns`. Default is false.
   */
  readonly formatSuffixes?: boolean
}

export interface UrlPattern {
  /** With a slash in front: `/hello/`, `/users/:name/`. */
  readonly route: string
  readonly view: View | Handler
  readonly formatSuffixes: boolean
}

/**
 * `path('hello/', helloView)`; `:name` captures one segment of the path. A route that ends in a slash also redirects
 * the same path without it (Django's APPEND_SLASH).
 * @throws TypeError for a route with a query, a fragment or white space
 */
export function path(route: string, view: View | Handler, options: PathOptions = {}): UrlPattern {
  if (!/^[^\s?#*]*$/.test(route)) throw new TypeError(`route: '${route}' is not a path`)
  const { formatSuffixes = false, ...others } = options
  for (const name of Object.keys(others)) throw new TypeError(`${name}: path() has no such option`)
  return Object.freeze({ route: route.startsWith('/') ? route : `/${route}`, view, formatSuffixes })
}
