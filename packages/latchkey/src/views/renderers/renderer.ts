/** What a renderer is: it turns the data of an answer into text or bytes of one media type. Views choose one by negotiation. */
import { hasMethods, someOf } from '../../options.js'

/** What a renderer may know about the request and the answer. No request headers and no request body, on purpose. */
export interface RenderContext {
  /** What was agreed upon, with parameters: `application/json; indent=4`. */
  readonly mediaType: string
  readonly status: number
  /** The answer's headers so far. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly method: string
  /** The path without its query. */
  readonly path: string
  readonly viewName: string
  readonly viewDescription: string
  /** null: nobody is authenticated. */
  readonly username: string | null
}

/** What a renderer made of an answer. */
export interface Rendered {
  /** null: an answer without a body, and so without a `Content-Type`. */
  readonly body: string | Uint8Array | null
  /** Instead of the answer's status. */
  readonly status?: number
  /** Headers that this body needs, beside the answer's. */
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]>
}

export interface Renderer {
  /** What negotiation matches: `application/json`. */
  readonly mediaType: string
  /** The name in `?format=` and in path suffixes: `json`. */
  readonly format: string
  /** The `Content-Type` of its answers. */
  readonly contentType: string
  /** A request header that its answers depend on besides `Accept`, for `Vary`. */
  readonly varyOn?: string
  render(data: unknown, context: RenderContext): Rendered
}

/** What an option that takes renderers must be. */
export const RENDERERS = someOf('renderers, such as jsonRenderer()', hasMethods('render'))
