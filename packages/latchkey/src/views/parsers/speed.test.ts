/** No byte, in no charset, makes a body slower to parse than plain ASCII of the same length by more than three times. */
import { expect, it } from 'vitest'
import { formParser } from './form.js'
import { jsonParser } from './json.js'
import { multipartParser } from './multipart.js'
import type { Parser } from './parser.js'

const SCREENED_BYTES = 65_536
const MEASURED_BYTES = 1_048_576
const MAX_RATIO = 3

const PARTS = {
  form: ['', ''],
  json: ['"', '"'],
  multipart: ['--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n', '\r\n--b--\r\n'],
} as const
const PARSERS: Readonly<Record<keyof typeof PARTS, Parser>> = {
  form: formParser(),
  json: jsonParser(),
  multipart: multipartParser(),
}
/** The encodings that are decoded here. Those of several bytes in East Asia are the platform's: see below. */
const CHARSETS = ['utf-8', 'utf-8-sig', 'latin1', 'ascii', 'utf-16', 'utf-16-le', 'utf-16-be', 'windows-1252']
const SINGLE_BYTE = ['iso-8859-2', 'windows-1251', 'koi8-r', 'ibm866']
const EAST_ASIAN = ['shift_jis', 'euc-jp', 'euc-kr', 'gbk', 'gb18030', 'big5']

/** Texts beside those of one byte: what has a meaning in one of the formats, and characters of two to four bytes. */
const TEXTS = [
  '%41',
  '%zz',
  '%e4',
  '%C3%A9',
  '+a',
  'a=',
  'é',
  '€',
  '🔑',
  'é%41',
  '\\u0041',
  '\\n',
  '\r\n--',
  '--b',
]

function body(kind: keyof typeof PARTS, pattern: Uint8Array, length: number): Uint8Array {
  const [before, after] = PARTS[kind]
  return Buffer.concat([Buffer.from(before), Buffer.alloc(length, pattern), Buffer.from(after)])
}

/** Processor time, the least of so many runs: what other programs do to the machine does not count. */
function leastMicroseconds(runs: number, parser: Parser, bytes: Uint8Array, contentType: string): number {
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run += 1) {
    const before = process.cpuUsage()
    try {
      parser.parse(bytes, contentType)
    } catch {
      // A refusal may be as slow as an answer.
    }
    const { user, system } = process.cpuUsage(before)
    least = Math.min(least, user + system)
  }
  return least
}

/** Each pattern once, and those that look slow again, with a larger body and against plain ASCII beside it. */
function slowPatterns(kind: keyof typeof PARTS, charset: string, patterns: readonly Uint8Array[]): string[] {
  const parser = PARSERS[kind]
  const type = `${parser.mediaType}; boundary=b`
  const inCharset = `${type}; charset=${charset}`
  const ascii = Buffer.from('a')
  const screened = body(kind, ascii, SCREENED_BYTES)
  leastMicroseconds(30, parser, screened, type)
  const limit = MAX_RATIO * leastMicroseconds(10, parser, screened, type)
  return patterns
    .filter((one) => leastMicroseconds(1, parser, body(kind, one, SCREENED_BYTES), inCharset) > limit)
    .flatMap((one) => {
      const ratio = Math.min(
        ...[1, 2, 3, 4].map(
          () =>
            leastMicroseconds(3, parser, body(kind, one, MEASURED_BYTES), inCharset) /
            leastMicroseconds(3, parser, body(kind, ascii, MEASURED_BYTES), type),
        ),
      )
      return ratio > MAX_RATIO ? [`${Buffer.from(one).toString('hex')}: ${ratio.toFixed(1)}`] : []
    })
}

const bytes = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte))
const texts = TEXTS.map((text) => Buffer.from(text))

it.each(['form', 'json', 'multipart'] as const)(
  '%s: every byte, and every text of meaning',
  (kind) => {
    for (const charset of CHARSETS) {
      expect([charset, slowPatterns(kind, charset, [...bytes, ...texts])]).toEqual([charset, []])
    }
    const some = bytes.filter((_, byte) => byte % 16 === 5)
    for (const charset of SINGLE_BYTE) {
      expect([charset, slowPatterns(kind, charset, [...some, ...texts])]).toEqual([charset, []])
    }
  },
  60_000,
)

it('decodes each run of ASCII between other characters without a call of the decoder', () => {
  for (const charset of EAST_ASIAN) {
    const type = `application/x-www-form-urlencoded; charset=${charset}`
    const mixed = Buffer.alloc(MEASURED_BYTES / 4, Buffer.from([0xb0, 0xa1, 0x25, 0x34, 0x31]))
    const one = Buffer.alloc(MEASURED_BYTES / 4, Buffer.from([0xb0, 0xa1]))
    const ratios = [1, 2, 3].map(
      () => leastMicroseconds(3, PARSERS.form, mixed, type) / leastMicroseconds(3, PARSERS.form, one, type),
    )
    expect([charset, Math.min(...ratios) < 20]).toEqual([charset, true])
  }
}, 60_000)
