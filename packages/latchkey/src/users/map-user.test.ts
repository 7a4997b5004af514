import { describe, expect, it } from 'vitest'
import { mapUser, type UserColumns } from './map-user.js'
import { checkedUserRecord } from './user-record.js'

const columns: UserColumns = { id: 7, username: 'vitor', isActive: true, dateJoined: new Date(5) }

describe('mapUser', () => {
  it('gives a complete record for a row that has only what is needed', () => {
    const user = mapUser(columns)
    expect(user).toEqual({
      id: 7,
      username: 'vitor',
      email: '',
      isActive: true,
      isStaff: false,
      isSuperuser: false,
      dateJoined: new Date(5),
      lastLogin: null,
      passwordHash: '!',
      passwordVersion: 0,
    })
    expect(checkedUserRecord(user, 'users.findById')).toEqual(user)
    expect(mapUser({ ...columns, email: null, isStaff: null, lastLogin: null, passwordHash: null })).toEqual(
      user,
    )
  })

  it.each([
    [true, true],
    [1, true],
    [1n, true],
    ['t', true],
    ['true', true],
    ['1', true],
    [Buffer.from([1]), true],
    [false, false],
    [0, false],
    [0n, false],
    ['f', false],
    ['false', false],
    ['0', false],
    [new Uint8Array(1), false],
  ])('reads the flag %s as %s', (value, flag) => {
    expect(mapUser({ ...columns, isActive: value, isStaff: value, isSuperuser: value })).toMatchObject({
      isActive: flag,
      isStaff: flag,
      isSuperuser: flag,
    })
  })

  it.each([
    [42n, 42],
    ['42', '42'],
    [{ toHexString: () => '65a0c0ffee' }, '65a0c0ffee'],
  ])('reads the id %s as %s', (id, read) => {
    expect(mapUser({ ...columns, id }).id).toBe(read)
  })

  it.each([
    ['2026-01-02 03:04:05+00', '2026-01-02T03:04:05.000Z'],
    ['2026-01-02 03:04:05.123456+0530', '2026-01-01T21:34:05.123Z'],
    ['2026-01-02T03:04:05-08:00', '2026-01-02T11:04:05.000Z'],
    ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.000Z'],
  ])('reads the time %s', (text, iso) => {
    expect(mapUser({ ...columns, dateJoined: text, lastLogin: text })).toMatchObject({
      dateJoined: new Date(iso),
      lastLogin: new Date(iso),
    })
  })

  it.each<readonly [string, unknown]>([
    ['id', undefined],
    ['id', null],
    ['id', ''],
    ['id', 2n ** 60n],
    ['id', 1.5],
    ['id', {}],
    ['username', null],
    ['email', 7],
    ['isActive', undefined],
    ['isActive', null],
    ['isActive', 2],
    ['isActive', ''],
    ['isActive', 'no'],
    ['isActive', Buffer.from([2])],
    ['isActive', Buffer.from([0, 1])],
    ['isStaff', 'yes'],
    ['dateJoined', undefined],
    ['dateJoined', 0],
    ['dateJoined', '2026-01-02'],
    ['dateJoined', '2026-01-02 03:04:05'],
    ['dateJoined', '2026-13-02T03:04:05Z'],
    ['lastLogin', new Date(Number.NaN)],
    ['passwordHash', 7],
    ['passwordVersion', '3'],
    ['passwordVersion', 1.5],
  ])('refuses %s: %s, and names the column', (name, value) => {
    expect(() => mapUser({ ...columns, [name]: value } as UserColumns)).toThrow(
      new RegExp(`^mapUser: ${name} must be`),
    )
  })
})
