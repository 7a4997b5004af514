/** The text that a caller holds, as a type that cannot be printed by accident. A leaf of `tokens/`. */
import { inspect } from 'node:util'

const REDACTED = '[redacted]'

/**
 * A token's secret on its way to its owner. Printing, logging, interpolating, serialising or inspecting it gives
 * `[redacted]`; only `reveal()` gives the text, so that a search for `reveal(` finds every place that can leak.
 */
export class TokenSecret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The text itself: for the response or terminal of the owner, and nowhere else. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.toPrimitive](): string {
    return REDACTED
  }

  [inspect.custom](): string {
    return `TokenSecret(${REDACTED})`
  }
}
