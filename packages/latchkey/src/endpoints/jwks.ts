/** The public keys that verify our JWTs, as a JWK set (RFC 7517). Mounted at `/.well-known/jwks.json` by convention. */
import { createHash } from 'node:crypto'
import { type PublicJwk, publicJwk } from '../jwt/jwks.js'
import { requireJwts } from '../jwt/jwt-service.js'
import type { VerifyingKey } from '../jwt/signing-key.js'
import { allowAny } from '../permissions/allow-any.js'
import { apiView } from '../views/api-view.js'
import { jsonRenderer } from '../views/renderers/json.js'
import type { Renderer } from '../views/renderers/renderer.js'
import { response } from '../views/response.js'
import type { View } from '../views/view.js'

export interface JwksOptions {
  /** Further public keys to publish: a former `signingKey` whose tokens are still good. Default is none. */
  readonly also?: readonly VerifyingKey[]
}

/** The longest that anybody may keep the answer; a key that is rotated in is published for longer before it signs. */
const MAX_AGE_SECONDS = 300

/**
 * `GET` -> `{"keys": […]}` for everybody: keys of the store that sign, will sign or whose tokens are still good, and an
 * asymmetric `signingKey`. Never a private key, nor a secret of HS*.
 *
 * `application/json`, which every consumer takes, or `application/jwk-set+json` (RFC 7517, 8.5.1) for those who ask.
 *
 * @throws TypeError `also: …` for a secret
 */
export function jwks(options: JwksOptions = {}): View {
  const also = (options.also ?? []).map((key) => {
    const jwk = publicJwk(key)
    if (jwk === null) throw new TypeError(`also: a key of ${key.algorithm} is a secret`)
    return jwk
  })
  return apiView({
    name: 'JSON Web Key Set',
    authentication: [],
    permissions: [allowAny],
    throttles: [],
    renderers: [jsonRenderer(), JWK_SET],
    async get(request, { jwts }) {
      const service = requireJwts(jwts)
      const keys = [...(await service.publishedKeys()), ...also]
      const headers = {
        'Cache-Control': `public, max-age=${Math.min(MAX_AGE_SECONDS, service.options.publishSeconds)}`,
        ETag: entityTag(keys),
      }
      const isKnown = namesTag(request.header('if-none-match'), headers.ETag)
      return isKnown ? response(undefined, { status: 304, headers }) : response({ keys }, { headers })
    },
  })
}

const JWK_SET: Renderer = Object.freeze({
  ...jsonRenderer(),
  mediaType: 'application/jwk-set+json',
  format: 'jwks',
  contentType: 'application/jwk-set+json',
})

/** Weak: the same keys have several spellings (`Accept: …; indent=4`). */
function entityTag(keys: readonly PublicJwk[]): string {
  return `W/"${createHash('sha256').update(JSON.stringify(keys)).digest('base64url')}"`
}

/** RFC 9110, 13.1.2: compared weakly. */
function namesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  const opaque = tag.slice(2)
  return header.split(',').some((one) => {
    const named = one.trim()
    return named === '*' || named === opaque || named === `W/${opaque}`
  })
}
