/** A moment as the clocks of a time zone show it: what endpoints write and people read. A leaf. */

/** Fields of local time. Months and days count from 1, the week from Sunday = 0. */
export interface ZonedTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly millisecond: number
  readonly weekday: number
  /** The first of January is 1. */
  readonly dayOfYear: number
  /** East of Greenwich is positive. */
  readonly offsetSeconds: number
  /** `UTC`, `EST`; `-03` or `+0530` where English has no letters for it. */
  readonly abbreviation: string
}

/** Shows moments in one time zone. */
export type TimeZone = (date: Date) => ZonedTime

const DAY_MS = 24 * 3600 * 1000

/**
 * A time zone by its IANA name (`America/Sao_Paulo`), with its daylight saving rules as this Node knows them.
 * @throws TypeError that names the option, for a name that is no time zone
 */
export function timeZone(name: string, option: string): TimeZone {
  const fields = formatter(name, option, {
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    era: 'short',
    hourCycle: 'h23',
  })
  const names = formatter(name, option, { timeZoneName: 'short' })

  return (date) => {
    const parts = new Map(fields.formatToParts(date).map(({ type, value }) => [type, value]))
    const number = (type: Intl.DateTimeFormatPartTypes) => Number(parts.get(type))
    const year = parts.get('era') === 'BC' ? 1 - number('year') : number('year')
    const dayMs = utcDayMs(year, number('month'), number('day'))
    const localMs = dayMs + ((number('hour') * 60 + number('minute')) * 60 + number('second')) * 1000
    const millisecond = ((date.getTime() % 1000) + 1000) % 1000
    const offsetSeconds = (localMs + millisecond - date.getTime()) / 1000
    return {
      year,
      month: number('month'),
      day: number('day'),
      hour: number('hour'),
      minute: number('minute'),
      second: number('second'),
      millisecond,
      weekday: new Date(dayMs).getUTCDay(),
      dayOfYear: Math.round((dayMs - utcDayMs(year, 1, 1)) / DAY_MS) + 1,
      offsetSeconds,
      abbreviation: abbreviationOf(names.formatToParts(date), offsetSeconds),
    }
  }
}

/**
 * ISO 8601 as DRF writes it: six digits of fraction, `Z` for an offset of zero. Python leaves out a fraction of zero, which
 * it has once in a million times; we would have it once in a thousand, and readers rely on the digits.
 */
export function isoText(time: ZonedTime): string {
  const { year, month, day, hour, minute, second, millisecond, offsetSeconds } = time
  const fraction = `.${padded(millisecond, 3)}000`
  const zone = offsetSeconds === 0 ? 'Z' : offsetText(offsetSeconds, ':')
  const date = `${padded(year, 4)}-${padded(month, 2)}-${padded(day, 2)}`
  return `${date}T${padded(hour, 2)}:${padded(minute, 2)}:${padded(second, 2)}${fraction}${zone}`
}

/** `+0530` or, with a colon, `+05:30`; seconds only where there are some, as before standard time. */
export function offsetText(offsetSeconds: number, separator: '' | ':'): string {
  const size = Math.abs(offsetSeconds)
  const parts = [Math.trunc(size / 3600), Math.trunc(size / 60) % 60, size % 60]
  const shown = size % 60 === 0 ? parts.slice(0, 2) : parts
  return (offsetSeconds < 0 ? '-' : '+') + shown.map((part) => padded(part, 2)).join(separator)
}

export function padded(value: number, width: number, filler = '0'): string {
  return String(value).padStart(width, filler)
}

function formatter(
  timeZone: string,
  option: string,
  fields: Intl.DateTimeFormatOptions,
): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', { ...fields, timeZone, calendar: 'gregory' })
  } catch (cause) {
    throw new TypeError(`${option}: '${timeZone}' is no time zone`, { cause })
  }
}

/** `Date.UTC` takes the years 0 to 99 for those of the twentieth century. */
function utcDayMs(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day)
}

function abbreviationOf(parts: readonly Intl.DateTimeFormatPart[], offsetSeconds: number): string {
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
  if (!/^GMT[+-]/.test(name)) return name
  return offsetText(offsetSeconds, '').replace(/^(.\d\d)00$/, '$1')
}
