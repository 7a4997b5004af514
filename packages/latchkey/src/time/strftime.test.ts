import { describe, expect, it } from 'vitest'
import { strftime } from './strftime.js'
import { isoText, timeZone } from './zoned-time.js'

/** What CPython 3.11 on Linux wrote for these moments. */
const DIRECTIVES =
  '%% %n %t %a %A %b %h %B %d %e %m %y %Y %C %j %H %k %I %l %M %S %f %p %P %z %w %u %U %W %G %g %V %c %x %D %X %T %F %R %r %-d %_d %0e %^a %-I %-H %-m %_m %Q %E % %'
const WRITTEN: ReadonlyArray<readonly [zone: string, seconds: number, text: string]> = [
  [
    'UTC',
    1795301346.003,
    '% \n \t Sat Saturday Nov Nov November 21 21 11 26 2026 20 325 22 22 10 10 49 06 003000 PM pm +0000 6 6 46 46 2026 26 47 Sat Nov 21 22:49:06 2026 11/21/26 11/21/26 22:49:06 22:49:06 2026-11-21 22:49 10:49:06 PM 21 21 21 SAT 10 22 11 11 %Q %E % %',
  ],
  [
    'America/Sao_Paulo',
    1767225600,
    '% \n \t Wed Wednesday Dec Dec December 31 31 12 25 2025 20 365 21 21 09  9 00 00 000000 PM pm -0300 3 3 52 52 2026 26 01 Wed Dec 31 21:00:00 2025 12/31/25 12/31/25 21:00:00 21:00:00 2025-12-31 21:00 09:00:00 PM 31 31 31 WED 9 21 12 12 %Q %E % %',
  ],
  [
    'Asia/Kolkata',
    1893456000.5,
    '% \n \t Tue Tuesday Jan Jan January 01  1 01 30 2030 20 001 05  5 05  5 30 00 500000 AM am +0530 2 2 00 00 2030 30 01 Tue Jan  1 05:30:00 2030 01/01/30 01/01/30 05:30:00 05:30:00 2030-01-01 05:30 05:30:00 AM 1  1 01 TUE 5 5 1  1 %Q %E % %',
  ],
]

describe('strftime', () => {
  for (const [zone, seconds, text] of WRITTEN) {
    it(`writes every directive as Python does, in ${zone}`, () => {
      expect(strftime(DIRECTIVES, timeZone(zone, 'zone')(new Date(seconds * 1000)))).toBe(text)
    })
  }

  it('knows the ISO week of the days around a new year', () => {
    const weeks = ['2021-01-03', '2021-01-04', '2020-12-31', '2024-12-30', '2027-01-01'].map((day) =>
      strftime('%G-W%V-%u', timeZone('UTC', 'zone')(new Date(`${day}T12:00:00Z`))),
    )
    expect(weeks).toEqual(['2020-W53-7', '2021-W01-1', '2020-W53-4', '2025-W01-1', '2026-W53-5'])
  })

  it('writes midnight and noon as 12, and offsets with a colon on demand', () => {
    const zone = timeZone('Asia/Kolkata', 'zone')
    expect(strftime('%I%p %:z', zone(new Date('2026-01-01T18:30:00Z')))).toBe('12AM +05:30')
    expect(strftime('%I%p', zone(new Date('2026-01-01T06:30:00Z')))).toBe('12PM')
  })
})

describe('timeZone', () => {
  const text = (zone: string, iso: string) => isoText(timeZone(zone, 'zone')(new Date(iso)))

  it('writes ISO 8601 as DRF does', () => {
    expect(text('UTC', '2026-11-22T08:46:55.863Z')).toBe('2026-11-22T08:46:55.863000Z')
    expect(text('UTC', '2026-11-22T08:46:55.000Z')).toBe('2026-11-22T08:46:55.000000Z')
    expect(text('America/Sao_Paulo', '2026-11-22T02:00:00.001Z')).toBe('2026-11-21T23:00:00.001000-03:00')
    expect(text('Asia/Kathmandu', '2026-12-31T20:00:00.000Z')).toBe('2027-01-01T01:45:00.000000+05:45')
  })

  it('follows daylight saving time, and says Z where the offset is zero', () => {
    expect(text('Europe/London', '2026-01-01T12:00:00Z')).toBe('2026-01-01T12:00:00.000000Z')
    expect(text('Europe/London', '2026-07-01T12:00:00Z')).toBe('2026-07-01T13:00:00.000000+01:00')
    expect(text('America/New_York', '2026-11-01T05:30:00Z')).toBe('2026-11-01T01:30:00.000000-04:00')
    expect(text('America/New_York', '2026-11-01T06:30:00Z')).toBe('2026-11-01T01:30:00.000000-05:00')
  })

  it('names zones by letters where English has them, else by their offset', () => {
    const name = (zone: string, iso: string) => timeZone(zone, 'zone')(new Date(iso)).abbreviation
    expect(name('UTC', '2026-01-01T00:00:00Z')).toBe('UTC')
    expect(name('America/New_York', '2026-07-01T00:00:00Z')).toBe('EDT')
    expect(name('America/Sao_Paulo', '2026-01-01T00:00:00Z')).toBe('-03')
    expect(name('Asia/Kathmandu', '2026-01-01T00:00:00Z')).toBe('+0545')
  })

  it('is right before 1970 too, and in years of three digits', () => {
    expect(text('UTC', '1969-12-31T23:59:59.999Z')).toBe('1969-12-31T23:59:59.999000Z')
    expect(text('UTC', '0099-03-01T00:00:00.000Z')).toBe('0099-03-01T00:00:00.000000Z')
  })

  it('refuses a name that is no time zone, and names the option', () => {
    expect(() => timeZone('Mars/Olympus', 'timeZone')).toThrow(/^timeZone: 'Mars\/Olympus'/)
  })
})
