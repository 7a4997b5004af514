/** Which renderer answers: DRF's content negotiation by `Accept` and `?format=`. The first thing a view decides. */
import { LatchkeyError } from '../errors.js'
import { UTF_8 } from './charset.js'
import { matchesMediaType, mediaTypePrecedence, parseMediaType } from './media-type.js'
import { formPairs } from './parsers/form.js'
import type { Renderer } from './renderers/renderer.js'

export interface NegotiationInput {
  /** The `Accept` header; undefined: anything. An empty one accepts nothing. */
  readonly accept: string | undefined
  /** The format suffix of the path or `?format=`; empty counts as absent. */
  readonly format: string | undefined
}

export interface NegotiationResult<R> {
  readonly renderer: R
  /** What was agreed upon, with the caller's parameters: `application/json; indent=4`. */
  readonly mediaType: string
}

/**
 * Picks the renderer: more specific ranges of `Accept` first, among equals our order of renderers. `q` is ignored,
 * as DRF ignores it. A format narrows the choice and `Accept` still applies.
 *
 * @throws LatchkeyError `not_found` for a format that no renderer has, `not_acceptable` if nothing matches.
 */
export function selectRenderer<R extends Pick<Renderer, 'mediaType' | 'format'>>(
  renderers: readonly R[],
  input: NegotiationInput,
): NegotiationResult<R> {
  const offers = input.format ? renderers.filter((renderer) => renderer.format === input.format) : renderers
  if (offers.length === 0) throw new LatchkeyError(input.format ? 'not_found' : 'not_acceptable')
  const choices = offers.map((renderer) => ({ renderer, offered: parseMediaType(renderer.mediaType) }))
  const tokens = (input.accept ?? '*/*').split(',').map((token) => token.trim())
  // Nothing matches an empty one, and a header has room for thousands.
  const ranges = tokens
    .filter((text) => text !== '')
    .map((text) => {
      const asked = parseMediaType(text)
      return { text, asked, precedence: mediaTypePrecedence(asked) }
    })
  for (const precedence of [3, 2, 1, 0]) {
    for (const { renderer, offered } of choices) {
      const range = ranges.find(
        (one) => one.precedence === precedence && matchesMediaType(offered, one.asked),
      )
      if (range === undefined) continue
      if (mediaTypePrecedence(offered) <= precedence) return { renderer, mediaType: range.text }
      const parameters = [...range.asked.parameters].map(([name, value]) => `${name}=${value}`)
      return { renderer, mediaType: [renderer.mediaType, ...parameters].join(';') }
    }
  }
  throw new LatchkeyError('not_acceptable')
}

/**
 * The format a request asks for: the path's suffix (`json` of `/hello.json`), else the last `format` of the query.
 *
 * @throws LatchkeyError `parse_error` for a query of more than 1000 fields.
 */
export function requestedFormat(query: string, formatSuffix?: string): string | undefined {
  if (formatSuffix) return formatSuffix
  if (!query.includes('format') && !query.includes('%')) return undefined
  const values = formPairs(query, UTF_8).filter(([name]) => name === 'format')
  return values.at(-1)?.[1] || undefined
}
