/** The rules for new passwords: Django's messages and its borders. */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { commonPasswords } from './common-passwords.js'
import {
  commonPassword,
  defaultPasswordValidators,
  maximumLength,
  minimumLength,
  numericPassword,
  userAttributeSimilarity,
} from './password-validators.js'

const alice = { username: 'alice', email: 'alice.liddell@wonderland.example' }
const problems = (password: string, owner = alice) =>
  defaultPasswordValidators()
    .map((validator) => validator(password, owner))
    .filter((message) => message !== null)

describe('the default rules', () => {
  test.each(['correct horse battery staple', 'tr0ub4dor&3x', 'žluťoučký kůň', '🔑🗝🚪🏠🌳🌞🌛✨'])(
    'accept %s',
    (password) => {
      expect(problems(password)).toEqual([])
    },
  )

  test.each([8, 15, 64, 1000, 4096])('accept %i characters', (length) => {
    expect(problems('x7'.repeat(length / 2).padEnd(length, 'y'))).toEqual([])
  })

  test('report every rule that is broken', () => {
    expect(problems('123456')).toEqual([
      'This password is too short. It must contain at least 8 characters.',
      'This password is too common.',
      'This password is entirely numeric.',
    ])
    expect(problems('alice')).toContain('The password is too similar to the username.')
    expect(problems('')).toEqual(['This password is too short. It must contain at least 8 characters.'])
  })

  test('are quick on megabytes', () => {
    const startedMs = performance.now()
    expect(problems('a1'.repeat(2 ** 20))).toEqual([
      'This password is too long. It must contain at most 4096 characters.',
    ])
    expect(performance.now() - startedMs).toBeLessThan(2000)
  })
})

describe('length', () => {
  test('counts characters, not units', () => {
    expect(minimumLength()('🔑'.repeat(7), alice)).not.toBeNull()
    expect(minimumLength()('🔑'.repeat(8), alice)).toBeNull()
    expect(maximumLength()('🔑'.repeat(4096), alice)).toBeNull()
    expect(maximumLength()('🔑'.repeat(4097), alice)).not.toBeNull()
  })

  test('says how much is needed', () => {
    expect(minimumLength(15)('x', alice)).toBe(
      'This password is too short. It must contain at least 15 characters.',
    )
    expect(minimumLength(1)('', alice)).toBe(
      'This password is too short. It must contain at least 1 character.',
    )
  })

  test('options out of range are refused', () => {
    expect(() => minimumLength(0)).toThrow(/^minLength must be/)
    expect(() => maximumLength(63)).toThrow(/^maxLength must be/)
    expect(() => maximumLength(4097)).toThrow(/^maxLength must be/)
  })
})

describe('common passwords', () => {
  test.each(['password', 'PassWord', ' qwerty123 ', 'mewtwo', 'z k.lovemom'])('%s is refused', (password) => {
    expect(commonPassword()(password, alice)).toBe('This password is too common.')
  })

  test('others are not', () => {
    expect(commonPassword()('passwordly', alice)).toBeNull()
    expect(commonPassword()('', alice)).toBeNull()
  })

  test('the list is unpacked whole', () => {
    const list = [...commonPasswords()]
    expect(list).toHaveLength(19_727)
    expect(createHash('sha256').update(list.join('\n')).digest('hex')).toBe(
      '56557952932205b8fa36dc12c6df50985576b1933b2cb06a683fbb273d21082f',
    )
  })
})

describe('digits alone', () => {
  test.each(['42', '٤٢', '４２', '²³', '①②', '𝟜𝟚'])('%s is refused', (password) => {
    expect(numericPassword()(password, alice)).toBe('This password is entirely numeric.')
  })

  test.each(['', '4 2', '-42', '4.2', '42x', '½', '四二'])('%s is not', (password) => {
    expect(numericPassword()(password, alice)).toBeNull()
  })
})

describe('likeness to the user', () => {
  const rule = userAttributeSimilarity()
  const USERNAME = 'The password is too similar to the username.'
  const EMAIL = 'The password is too similar to the email address.'

  // Ratios as Python's difflib computes them: 0.77, 1.0, 0.59, 0.77, 0.73.
  test.each([
    ['alice123', 'alice', USERNAME],
    ['dcba', 'abcd', USERNAME],
    ['correcthorse', 'horse', null],
    ['VitorFS1', 'vitor', USERNAME],
    ['exam', 'example', USERNAME],
  ])('%s for %s: %s', (password, username, expected) => {
    expect(rule(password, { username })).toBe(expected)
  })

  test('looks at each word of an attribute, in any script, and at the whole', () => {
    expect(rule('liddell1', alice)).toBe(EMAIL)
    expect(rule('wonderland', alice)).toBe(EMAIL)
    expect(rule('alice.liddell@wonderland.example', alice)).toBe(EMAIL)
    expect(rule('příkladový', { username: 'jan-příkladový' })).toBe(USERNAME)
  })

  test('names the first attribute only', () => {
    expect(rule('alice', alice)).toBe(USERNAME)
  })

  test('does without an e-mail address', () => {
    expect(rule('liddell1', { username: 'alice' })).toBeNull()
    expect(rule('liddell1', { username: 'alice', email: '' })).toBeNull()
    expect(rule('liddell1', { username: '', email: undefined })).toBeNull()
  })

  test('an attribute far shorter than the password does not count', () => {
    expect(rule('a'.repeat(40), { username: 'a' })).toBeNull()
    expect(rule('abcdefgh', { username: '.a.' })).toBeNull()
    // 2 * 1 / (1 + 10) = 0.18: ten times as long, but within reach of a strict rule.
    expect(userAttributeSimilarity({ maxSimilarity: 0.1 })('abcdefghij', { username: 'a' })).toBe(USERNAME)
  })

  test('the border belongs to the refusal', () => {
    // 2 * 7 / (10 + 10) = 0.7
    expect(rule('abcdefgxyz', { username: 'abcdefg123' })).toBe(USERNAME)
    expect(rule('abcdefuxyz', { username: 'abcdefg123' })).toBeNull()
    expect(userAttributeSimilarity({ maxSimilarity: 1 })('abcdefgxyz', { username: 'abcdefg123' })).toBeNull()
  })

  test.each([0.09, 1.1, Number.NaN])('a maxSimilarity of %s is refused', (maxSimilarity) => {
    expect(() => userAttributeSimilarity({ maxSimilarity })).toThrow(/^maxSimilarity must be/)
  })
})
