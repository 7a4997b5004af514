/** What a handler answers with when data alone is not enough: DRF's `Response`. */

export interface ResponseOptions {
  /** Default is 200. */
  readonly status?: number
  /** Beside those that the view sets (`Content-Type`, `Allow`, `Vary`). */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export class ApiResponse {
  readonly data: unknown
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>

  constructor(data: unknown, options: ResponseOptions = {}) {
    const { status = 200, headers = {} } = options
    if (!Number.isInteger(status) || status < 200 || status > 599)
      throw new TypeError('status: must be 200 to 599')
    this.data = data
    this.status = status
    this.headers = headers
  }
}

/** An answer with a status or headers; `undefined` as data: an empty body. */
export function response(data: unknown, options?: ResponseOptions): ApiResponse {
  return new ApiResponse(data, options)
}
