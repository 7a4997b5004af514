/** What a handler answers with when data alone is not enough: DRF's `Response`. */
import { isBranded, RESPONSE_BRAND } from '../brand.js'

export interface ResponseOptions {
  /** Default is 200. */
  readonly status?: number
  /** `Content-Type` stands in place of the renderer's. `Allow` is the view's to say, and `Vary` is one more line. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export class ApiResponse {
  readonly [RESPONSE_BRAND] = true
  readonly data: unknown
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>

  constructor(data: unknown, options: ResponseOptions = {}) {
    const { status = 200, headers = {} } = options
    if (!isStatus(status)) throw new TypeError('status: must be 200 to 599')
    this.data = data
    this.status = status
    this.headers = headers
  }
}

/**
 * Whether a handler answered with a response rather than with data. Takes one of another copy of the package, too.
 * @throws TypeError when a marked value is not a complete response
 */
export function isResponse(value: unknown): value is ApiResponse {
  if (!isBranded(value, RESPONSE_BRAND)) return false
  const headers: unknown = Reflect.get(value, 'headers')
  if (!isStatus(Reflect.get(value, 'status')) || typeof headers !== 'object' || headers === null)
    throw new TypeError('response: must be what response() returns')
  return true
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 599
}

/** An answer with a status or headers; `undefined` as data: an empty body. */
export function response(data: unknown, options?: ResponseOptions): ApiResponse {
  return new ApiResponse(data, options)
}

/** The headers of an answer as lines, several values of one name on lines of their own. */
export function headerLines({ headers }: ApiResponse): Array<readonly [name: string, value: string]> {
  return Object.entries(headers).flatMap(([name, value]) =>
    // DRF's rule: which methods there are is not for an answer to say.
    name.toLowerCase() === 'allow' ? [] : [value].flat().map((one): [string, string] => [name, one]),
  )
}

/** With the type of the body in front, unless the answer has named one. */
export function withContentType(
  lines: ReadonlyArray<readonly [name: string, value: string]>,
  contentType: string,
): Array<readonly [name: string, value: string]> {
  const isTyped = lines.some(([name]) => name.toLowerCase() === 'content-type')
  return isTyped ? [...lines] : [['Content-Type', contentType], ...lines]
}
