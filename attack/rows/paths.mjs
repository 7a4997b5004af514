/** Other spellings of guarded paths: neither the router nor a permission lets one through. */
import { ROUTES } from '../lib/routes.mjs'

/** @param {string} path `/name/` */
function* spellingsOf(path) {
  const name = path.slice(1, -1)
  const first = name.charCodeAt(0).toString(16)
  const encoded = `%${first}${name.slice(1)}`
  yield* [
    path,
    `/${name}`,
    `/${name.toUpperCase()}/`,
    `/${encoded}/`,
    `/${encoded.toUpperCase()}/`,
    `/%25${first}${name.slice(1)}/`,
  ]
  yield* [
    `//${name}/`,
    `///${name}//`,
    `/./${name}/`,
    `/x/../${name}/`,
    `/${name}/.`,
    `/${name}/..`,
    `/${name}/../${name}/`,
  ]
  yield* [
    `/%2e/${name}/`,
    `/%2e%2e/${name}/`,
    `/x/%2e%2e/${name}/`,
    `/x/..%2f${name}/`,
    `/x/%2e%2e%2f${name}/`,
    `/..%5c${name}/`,
  ]
  yield* [
    `\\${name}\\`,
    `/\\${name}/`,
    `/${name}\\`,
    `/%5c${name}/`,
    `/${name}%2f`,
    `/%2f${name}/`,
    `/${name}%252f`,
    `/x/..\\${name}/`,
  ]
  yield* [
    `/${name};/`,
    `/;/${name}/`,
    `/${name}/;x=y`,
    `/${name};jsessionid=1/`,
    `/x;/../${name}/`,
    `/x/..;/${name}/`,
  ]
  yield* [
    `/${name}.json`,
    `/${name}.json/`,
    `/${name}.api`,
    `/${name}/.json`,
    `/${name}/?format=json`,
    `/${name}?format=api`,
  ]
  yield* [
    `/${name}%00`,
    `/${name}/%00`,
    `/${name}%00.json`,
    `/${name}/#`,
    `/${name}#x`,
    `/${name}/%23`,
    `/${name}%3f`,
    `/%3f/../${name}/`,
  ]
  yield* [
    `/${name}.`,
    `/${name}./`,
    `/${name}...`,
    `/${name}%20`,
    `/${name}%09/`,
    `/%20${name}/`,
    `/${name}/%0d%0a`,
    `/${name}%0aX:y`,
  ]
  yield* [
    `/${name}/${'a'.repeat(8000)}`,
    `/${'x/../'.repeat(1000)}${name}/`,
    `/${name}/${'%2e'.repeat(2000)}`,
    `/${name}/${'/'.repeat(4000)}`,
  ]
  yield* [
    `/${name}/%c0%af`,
    `/%c0%ae%c0%ae/${name}/`,
    `/${name}/%ff`,
    `/${name}%`,
    `/${name}/%zz`,
    `/%u0061${name}/`,
    `/${name}/\xe9`,
  ]
  yield* [
    `/${name}/report`,
    `/${name}/report/`,
    `/${encoded}/report/`,
    `//${name}/report/`,
    `/${name}//report/`,
    `/x/../${name}/report/`,
  ]
  yield* [
    `http://127.0.0.1/${name}/`,
    `http://127.0.0.1//${name}/`,
    `HTTP://x/${encoded}/`,
    `http:/${name}/`,
    `//127.0.0.1/${name}/`,
  ]
  yield* [
    `/authtoken/../${name}/`,
    `/authtoken/..%2f${name}/`,
    `/authtoken%2f..%2f${name}/`,
    `/authtoken/..;/${name}/`,
    `?/${name}/`,
  ]
}

const METHODS = ['GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']

/** @type {import('./index.mjs').Row[]} */
export const PATH_ROWS = [
  {
    name: 'path tricks without a credential',
    expects: 'no handler is reached',
    *attacks() {
      for (const { path } of ROUTES) {
        for (const target of spellingsOf(path)) {
          yield { name: `${path} as ${target.slice(0, 60)}`, request: { path: target }, statuses: [200] }
        }
        for (const method of METHODS) {
          yield { name: `${method} ${path}`, request: { method, path }, statuses: [200, 204] }
        }
      }
    },
  },
  {
    name: "path tricks with another's credential",
    expects: 'the staff pages are reached by staff only, however they are spelled',
    *attacks({ world }) {
      const headers = [['Authorization', `Token ${world.opaque.authtoken}`]]
      for (const path of ['/admin/', '/internal/']) {
        for (const target of spellingsOf(path)) {
          // These lead to the route that the credential is for, on servers that do not resolve dots.
          if (target.startsWith('/authtoken')) continue
          yield {
            name: `${path} as ${target.slice(0, 60)}`,
            request: { path: target, headers },
            statuses: [200],
          }
        }
        const overrides = [
          'X-Original-URL',
          'X-Rewrite-URL',
          'X-Forwarded-Prefix',
          'X-Forwarded-Path',
          'X-Forwarded-Uri',
        ]
        for (const name of overrides) {
          const more = [...headers, [name, '/authtoken/']]
          yield { name: `${path} with ${name}`, request: { path, headers: more } }
        }
      }
    },
  },
]
