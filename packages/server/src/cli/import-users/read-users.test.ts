import fc from 'fast-check'
import type { ImportRow } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { type Format, type ReadOptions, readUsers, type Seen } from './read-users.js'
import { csvRowsOf, elementsOf } from './split.js'

async function* pieces(...texts: readonly string[]) {
  yield* texts
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

async function read(text: string | readonly string[], options: Partial<ReadOptions> = {}) {
  const seen: Seen = { otherModels: new Map(), otherFields: new Set(), users: 0 }
  const parts = typeof text === 'string' ? [text] : text
  const full = { model: 'auth.user', usernameField: 'username', ...options }
  return { rows: await collect(readUsers(pieces(...parts), full, seen)), seen }
}

const FIELDS = {
  username: 'alice',
  password: '!',
  email: 'a@example.com',
  is_active: true,
  is_staff: false,
  is_superuser: false,
  date_joined: '2020-05-06T07:08:09.123Z',
  last_login: null,
}
const ALICE = {
  id: 3,
  username: 'alice',
  passwordHash: '!',
  email: 'a@example.com',
  isActive: true,
  isStaff: false,
  isSuperuser: false,
  dateJoined: new Date('2020-05-06T07:08:09.123Z'),
  lastLogin: null,
}
const dumped = (pk: unknown, fields: object = FIELDS) => ({ model: 'auth.user', pk, fields })
const csvLine = ['id', ...Object.keys(FIELDS)].join(',')
const csvOf = (field: string, value: string) =>
  `${csvLine}\n3,${Object.entries(FIELDS)
    .map(([name, own]) => (name === field ? value : (own ?? '')))
    .join(',')}\n`

const problemOf = (row: ImportRow | undefined) => (row && 'unreadable' in row ? row.unreadable : null)

describe('readUsers', () => {
  it.each<[string, string, Format, string]>([
    ['dumpdata in one line', JSON.stringify([dumped(3)]), 'json', 'line 1, pk 3'],
    ['dumpdata --indent 2', JSON.stringify([dumped(3)], null, 2), 'json', 'line 2, pk 3'],
    ['dumpdata --format jsonl', `${JSON.stringify(dumped(3))}\n`, 'jsonl', 'line 1, pk 3'],
    ['plain JSON lines', `\r\n${JSON.stringify({ id: 3, ...FIELDS })}\r\n`, 'jsonl', 'line 2'],
    ['a JSON array of plain objects', `\n [${JSON.stringify({ id: 3, ...FIELDS })}] `, 'json', 'line 2'],
    ['CSV', csvOf('', ''), 'csv', 'line 2'],
    [
      'CSV with Windows line ends and quotes',
      csvOf('username', '"alice"').replaceAll('\n', '\r\n'),
      'csv',
      'line 2',
    ],
  ])('reads %s, in pieces of any size', async (_what, text, format, at) => {
    const expected = [{ at, ...ALICE }]
    expect((await read(text)).rows).toEqual(expected)
    expect((await read(text, { format })).rows).toEqual(expected)
    expect((await read([...text])).rows).toEqual(expected)
    for (let cut = 0; cut < text.length; cut += 7)
      expect((await read([text.slice(0, cut), text.slice(cut)])).rows).toEqual(expected)
  })

  it('leaves out other models and names fields that have no place', async () => {
    const text = JSON.stringify([
      { model: 'auth.group', pk: 1, fields: { name: 'x' } },
      { model: 'accounts.Member', pk: '5', fields: { email: 'e@example.com', password: '!', phone: '1' } },
    ])
    const { rows, seen } = await read(text, { model: 'Accounts.member', usernameField: 'email' })
    expect(rows).toMatchObject([
      { id: 5, username: 'e@example.com', isActive: true, isStaff: false, lastLogin: null },
    ])
    expect(rows[0]).not.toHaveProperty('dateJoined')
    expect([...seen.otherModels]).toEqual([['auth.group', 1]])
    expect([...seen.otherFields]).toEqual(['phone'])
  })

  it.each([
    ...['t', 'T', 'true', 'True', '1', 'yes'].map((text) => [text, true] as const),
    ...['f', 'F', 'false', 'False', '0', 'no'].map((text) => [text, false] as const),
  ])('takes %s of a CSV for %s', async (text, expected) => {
    expect((await read(csvOf('is_staff', text))).rows).toMatchObject([{ isStaff: expected }])
  })

  it.each(['', 'maybe', '2', 'tt', 'null', '\\N'])('takes "%s" for no boolean', async (text) => {
    expect(problemOf((await read(csvOf('is_active', text))).rows[0])).toMatch(/^the field is_active is/)
  })

  it.each([
    ['2020-05-06T07:08:09Z', '2020-05-06T07:08:09.000Z'],
    ['2020-05-06T07:08:09.123456+00:00', '2020-05-06T07:08:09.123Z'],
    ['2020-05-06 07:08:09.1+00', '2020-05-06T07:08:09.100Z'],
    ['2020-05-06 07:08:09.999999', '2020-05-06T07:08:09.999Z'],
    ['2020-05-06 07:08', '2020-05-06T07:08:00.000Z'],
    ['2020-05-06 09:08:09 +0200', '2020-05-06T07:08:09.000Z'],
    ['2020-05-06 23:08:09-05:30', '2020-05-07T04:38:09.000Z'],
    ['2020-02-29 00:00:00 UTC', '2020-02-29T00:00:00.000Z'],
    ['1969-12-31T23:59:59Z', '1969-12-31T23:59:59.000Z'],
  ])('takes %s for %s', async (text, expected) => {
    expect((await read(csvOf('date_joined', text))).rows).toMatchObject([{ dateJoined: new Date(expected) }])
  })

  it.each([
    '',
    '2020-05-06',
    '2021-02-29 00:00:00',
    '2020-13-01 00:00:00',
    '2020-05-06 24:00:00',
    '06.05.2020 07:08',
    'now',
    '1588748889',
    '2020-05-06T07:08:09+25:00',
    '0000-00-00 00:00:00',
  ])('takes "%s" for no time', async (text) => {
    expect(problemOf((await read(csvOf('date_joined', text))).rows[0])).toMatch(/^the field date_joined is/)
  })

  it.each([
    0,
    -1,
    1.5,
    '',
    '01',
    ' 1',
    '1e3',
    'a3f0c2b8-0000-4000-8000-000000000000',
    null,
    2 ** 53,
    '9007199254740992',
    true,
  ])('takes %j for no id', async (pk) => {
    expect(problemOf((await read(JSON.stringify([dumped(pk)]))).rows[0])).toMatch(
      /^the id .* is not a whole number/,
    )
  })

  it.each([
    ['[{"model": "auth.user"', /^line 1: the JSON array has no end/],
    ['[\n{"model": "auth.user", }]', /^line 2: is not JSON/],
    ['[1]', /^line 1: there is no object/],
    ['[{"model": "auth.user", "pk": 1}]', /^line 1: the object is neither/],
    ['[]\n[]', /^line 2: the file is not one JSON array/],
    ['{"id": 1}\n\nnonsense', /^line 3: is not JSON/],
    ['id,username\n', /^line 1: the header has no column password/],
    ['id;username;password\n', /^line 1: the header has no column id, username, password/],
    ['id,username,password,id\n', /^line 1: the header has the column id twice/],
    ['id,username,password\n1,"a\n', /^line 2: a quoted cell has no end/],
    ['id,username,password\n1,"a"b,!\n', /^line 2: there is text behind a quoted cell/],
  ])('refuses %j with its line', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  it('finds nothing in what is empty', async () => {
    for (const text of ['', ' \n', '[]', '[ \n ]']) expect((await read(text)).rows).toEqual([])
  })
})

describe('the splitters', () => {
  const cut = (text: string, cuts: readonly number[]) => {
    const places = [
      0,
      ...cuts.map((at) => at % (text.length + 1)).sort((one, other) => one - other),
      text.length,
    ]
    return places.slice(1).map((end, index) => text.slice(places[index], end))
  }

  it('give the elements of any JSON array back', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.jsonValue()),
        fc.constantFrom(undefined, 2),
        fc.array(fc.nat()),
        async (values, indent, cuts) => {
          const rows = await collect(elementsOf(pieces(...cut(JSON.stringify(values, null, indent), cuts))))
          expect(rows.map(({ text }) => JSON.parse(text) as unknown)).toEqual(
            JSON.parse(JSON.stringify(values)),
          )
        },
      ),
    )
  })

  it('give the cells of any CSV back', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', ' ', '\u00e9') })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(cell, { minLength: 2 })),
        fc.array(fc.nat()),
        async (table, cuts) => {
          const text = table
            .map((row) => `${row.map((one) => `"${one.replaceAll('"', '""')}"`).join(',')}\r\n`)
            .join('')
          const rows = await collect(csvRowsOf(pieces(...cut(text, cuts))))
          expect(rows.map(({ cells }) => cells)).toEqual(table)
        },
      ),
    )
  })
})
