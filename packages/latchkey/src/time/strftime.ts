/** Python's `strftime` for formats of DRF and knox settings: one table of directives, in English as in the C locale. */
import { offsetText, padded, type ZonedTime } from './zoned-time.js'

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

type Directive = (time: ZonedTime) => string

/** A number with its width and what fills it up. */
const number =
  (of: (time: ZonedTime) => number, width: number, filler = '0'): Directive =>
  (time) =>
    padded(of(time), width, filler)
const hour12 = ({ hour }: ZonedTime) => hour % 12 || 12
/** Weeks that begin on this day (Sunday 0, Monday 1), those before the first one being week 0. */
const weekFrom =
  (firstDay: number) =>
  ({ dayOfYear, weekday }: ZonedTime) =>
    Math.floor((dayOfYear - 1 + 7 - ((weekday - firstDay + 7) % 7)) / 7)
const composed =
  (format: string): Directive =>
  (time) =>
    strftime(format, time)

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ['%', () => '%'],
  ['n', () => '\n'],
  ['t', () => '\t'],
  ['a', ({ weekday }) => (DAYS[weekday] ?? '').slice(0, 3)],
  ['A', ({ weekday }) => DAYS[weekday] ?? ''],
  ['b', ({ month }) => (MONTHS[month - 1] ?? '').slice(0, 3)],
  ['h', composed('%b')],
  ['B', ({ month }) => MONTHS[month - 1] ?? ''],
  ['d', number(({ day }) => day, 2)],
  ['e', number(({ day }) => day, 2, ' ')],
  ['m', number(({ month }) => month, 2)],
  ['y', number(({ year }) => year % 100, 2)],
  ['Y', number(({ year }) => year, 1)],
  ['C', number(({ year }) => Math.trunc(year / 100), 2)],
  ['j', number(({ dayOfYear }) => dayOfYear, 3)],
  ['H', number(({ hour }) => hour, 2)],
  ['k', number(({ hour }) => hour, 2, ' ')],
  ['I', number(hour12, 2)],
  ['l', number(hour12, 2, ' ')],
  ['M', number(({ minute }) => minute, 2)],
  ['S', number(({ second }) => second, 2)],
  ['f', ({ millisecond }) => `${padded(millisecond, 3)}000`],
  ['p', ({ hour }) => (hour < 12 ? 'AM' : 'PM')],
  ['P', ({ hour }) => (hour < 12 ? 'am' : 'pm')],
  ['z', ({ offsetSeconds }) => offsetText(offsetSeconds, '')],
  [':z', ({ offsetSeconds }) => offsetText(offsetSeconds, ':')],
  ['Z', ({ abbreviation }) => abbreviation],
  ['w', ({ weekday }) => String(weekday)],
  ['u', ({ weekday }) => String(weekday || 7)],
  ['U', number(weekFrom(0), 2)],
  ['W', number(weekFrom(1), 2)],
  ['G', number((time) => isoWeek(time).year, 1)],
  ['g', number((time) => isoWeek(time).year % 100, 2)],
  ['V', number((time) => isoWeek(time).week, 2)],
  ['c', composed('%a %b %e %H:%M:%S %Y')],
  ['x', composed('%m/%d/%y')],
  ['D', composed('%m/%d/%y')],
  ['X', composed('%H:%M:%S')],
  ['T', composed('%H:%M:%S')],
  ['F', composed('%Y-%m-%d')],
  ['R', composed('%H:%M')],
  ['r', composed('%I:%M:%S %p')],
])

/** glibc's flags: no filler, blanks, zeros, upper case. */
const FLAGS: ReadonlyMap<string, (text: string) => string> = new Map([
  ['-', (text) => text.replace(/^[0 ]+(?=.)/, '')],
  ['_', (text) => text.replace(/^0+(?=.)/, (zeros) => ' '.repeat(zeros.length))],
  ['0', (text) => text.replace(/^ +/, (blanks) => '0'.repeat(blanks.length))],
  ['^', (text) => text.toUpperCase()],
])

/** The text of a moment in a format. A directive that nobody knows stays as it is, as Python on Linux has it. */
export function strftime(format: string, time: ZonedTime): string {
  return format.replace(/%([-_0^]?)(:z|[A-Za-z%])/g, (whole, flag: string, name: string) => {
    const text = DIRECTIVES.get(name)?.(time)
    if (text === undefined) return whole
    return FLAGS.get(flag)?.(text) ?? text
  })
}

/** ISO 8601: the week, from Monday, to whose year its Thursday belongs. */
function isoWeek({ year, dayOfYear, weekday }: ZonedTime): { readonly year: number; readonly week: number } {
  const thursday = dayOfYear + 4 - (weekday || 7)
  if (thursday < 1) return { year: year - 1, week: Math.ceil((thursday + daysIn(year - 1)) / 7) }
  if (thursday > daysIn(year)) return { year: year + 1, week: 1 }
  return { year, week: Math.ceil(thursday / 7) }
}

function daysIn(year: number): number {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 366 : 365
}
