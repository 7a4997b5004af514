/** How long, as people write it on a command line: `90d`, `12h`, `30m`, `45s`, or plain seconds. */
import { InvalidArgumentError, Option } from 'commander'

const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3600, m: 60, s: 1, '': 1 }

/** A hundred years: no date of any database is beyond it. */
const MAX_SECONDS = 100 * 366 * 86_400

/** Whole seconds; null for a text that is no duration. */
export function parseDuration(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,10})([dhms]?)$/.exec(text) ?? []
  const seconds = digits === '' ? Number.NaN : Number(digits) * (UNIT_SECONDS[unit] ?? Number.NaN)
  return seconds <= MAX_SECONDS ? seconds : null
}

/** A flag that takes a duration of at least `min` seconds and gives them, or one of these words and gives it. */
export function durationOption(
  flags: string,
  description: string,
  { min, words = [] }: { readonly min: number; readonly words?: readonly string[] },
): Option {
  return new Option(flags, description).argParser((text) => {
    const seconds = parseDuration(text)
    if (seconds !== null && seconds >= min) return seconds
    if (words.includes(text)) return text
    const others = words.map((word) => `, or ${word}`)
    throw new InvalidArgumentError(`Write 90d, 12h, 30m, 45s or seconds, ${min} or more${others.join('')}.`)
  })
}
