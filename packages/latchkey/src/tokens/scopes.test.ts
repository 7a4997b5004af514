import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { intersectScopes, isScope, isSubset, parseScopes, scopeMatcher, sharedScopes } from './scopes.js'

const NOT_SCOPES = [
  '',
  ' ',
  'orders read',
  'orders:',
  ':read',
  ':',
  '.',
  'a..b:read',
  '.a:read',
  'a.:read',
  'a::read',
  '**',
  '*:read',
  'orders:re*d',
  'orders:*:read',
  'orders:**',
  'a.*:read',
  'orders.*',
  'orders:read\n',
  '"orders:read"',
  'orders\\read',
  'orders:read\u0000',
  'ördérs:read',
  'x'.repeat(101),
]

describe('isScope', () => {
  it.each([
    '*',
    'openid',
    'drive.readonly',
    'orders:read',
    'orders.items:read',
    'orders:*',
    'orders:123:write',
    'packages:left.pad:publish',
    'https://example.com/auth/orders',
    'x'.repeat(100),
  ])('%s is one', (scope) => expect(isScope(scope)).toBe(true))

  it.each(NOT_SCOPES)('%j is none', (text) => expect(isScope(text)).toBe(false))

  it('takes no character that RFC 6749 does not', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), (text) => {
        if (isScope(text)) expect(text).toMatch(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
      }),
    )
    for (let code = 0; code < 0x200; code += 1) {
      const character = String.fromCharCode(code)
      const allowed = /[\x21\x23-\x5b\x5d-\x7e]/.test(character) && !'.:*'.includes(character)
      expect(isScope(`a${character}a`), character).toBe(allowed || character === '.' || character === ':')
    }
  })
})

/** What covers what, one line a pair. */
const PAIRS: ReadonlyArray<readonly [granted: string, required: string, covers: boolean]> = [
  ['orders:read', 'orders:read', true],
  ['orders:read', 'orders:write', false],
  ['orders:read', 'order:read', false],
  ['orders:read', 'orders', false],
  ['orders', 'orders:read', false],
  ['orders:read', 'orders.items:read', true],
  ['orders:read', 'orders.items.notes:read', true],
  ['orders:read', 'orders.items:write', false],
  ['orders:read', 'ordersitems:read', false],
  ['orders.items:read', 'orders:read', false],
  ['orders.items:read', 'orders.item:read', false],
  ['orders:*', 'orders:read', true],
  ['orders:*', 'orders.items:read', true],
  ['orders:*', 'orders:*', true],
  ['orders:*', 'orders.items:*', true],
  ['orders:*', '*', false],
  ['orders:read', 'orders:*', false],
  ['orders.items:*', 'orders:*', false],
  ['*', 'orders:read', true],
  ['*', 'openid', true],
  ['*', '*', true],
  ['openid', 'openid', true],
  ['openid', 'openid.more', false],
  ['drive', 'drive.readonly', false],
  ['orders:write', 'orders:123:write', true],
  ['orders:123:write', 'orders:123:write', true],
  ['orders:123:write', 'orders:124:write', false],
  ['orders:123:write', 'orders:write', false],
  ['orders:123:*', 'orders:123:write', true],
  ['orders:*', 'orders:123:write', true],
  ['shop:write', 'shop.orders:123:write', true],
  // An id with a dot is another id, not one below.
  ['packages:left:publish', 'packages:left.pad:publish', false],
  ['packages:publish', 'packages:left.pad:publish', true],
  // What is no scope.
  ['*', '', false],
  ['*', 'orders read', false],
  ['*', '*:read', false],
  ['orders:**', 'orders:read', false],
  ['', 'orders:read', false],
  ['orders read', 'orders read', false],
]

describe('scopeMatcher', () => {
  it.each(PAIRS)('%j and %j: %s', (granted, required, covers) => {
    expect(scopeMatcher([granted])(required)).toBe(covers)
  })

  it('covers what one of the scopes covers, and nothing with none', () => {
    const covers = scopeMatcher(['orders:read', 'billing:*'])
    expect(['orders:read', 'billing:pay', 'orders:write'].map(covers)).toEqual([true, true, false])
    expect(scopeMatcher([])('orders:read')).toBe(false)
  })

  it('compiles a frozen list once, and sees every change of another one', () => {
    const frozen = Object.freeze(['orders:read'])
    expect(scopeMatcher(frozen)).toBe(scopeMatcher(frozen))
    const changing = ['orders:read']
    expect(scopeMatcher(changing)('orders:read')).toBe(true)
    changing.pop()
    expect(scopeMatcher(changing)('orders:read')).toBe(false)
  })

  it('gives the same answer however many other scopes were asked for', () => {
    const covers = scopeMatcher(['orders:write', 'users:1:read'])
    for (let id = 0; id < 5000; id += 1) {
      expect(covers(`orders:${id}:write`)).toBe(true)
      expect(covers(`users:${id}:read`)).toBe(id === 1)
    }
  })
})

const step = fc.constantFrom('a', 'b', 'a.b', 'a.b.a')
const scope = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom('*', 'a', 'a.b') },
  {
    weight: 6,
    arbitrary: fc
      .tuple(step, fc.constantFrom('', ':1', ':1:2', ':1.2'), fc.constantFrom('*', 'r', 'w'))
      .map(([name, id, action]) => `${name}${id}:${action}`),
  },
)
const scopes = fc.uniqueArray(scope, { maxLength: 5 })

/** The meaning in the words of the file's head, by steps and not by texts. */
function coversByMeaning(granted: string, required: string): boolean {
  if (granted === '*' || granted === required) return true
  if (!granted.includes(':') || !required.includes(':')) return false
  const parts = (text: string) => {
    const [name = '', ...ids] = text.split(':')
    const action = ids.pop()
    return { action, steps: [...name.split('.').map((one) => `.${one}`), ...ids] }
  }
  const [have, want] = [parts(granted), parts(required)]
  const isAbove = have.steps.every((one, index) => one === want.steps[index])
  return isAbove && (have.action === '*' || have.action === want.action)
}

describe('scopeMatcher, isSubset, intersectScopes', () => {
  const runs = { numRuns: 3000 }

  it('follow the meaning', () => {
    fc.assert(
      fc.property(scopes, scope, (granted, required) => {
        const expected = granted.some((one) => coversByMeaning(one, required))
        expect(scopeMatcher(granted)(required)).toBe(expected)
      }),
      runs,
    )
  })

  it('agree on what a subset is: it never covers what the whole does not', () => {
    fc.assert(
      fc.property(scopes, scopes, scope, (some, whole, required) => {
        if (!isSubset(some, whole)) return
        if (scopeMatcher(some)(required)) expect(scopeMatcher(whole)(required)).toBe(true)
      }),
      runs,
    )
  })

  it('intersect to exactly what both cover', () => {
    fc.assert(
      fc.property(scopes, scopes, scope, (one, other, required) => {
        const both = intersectScopes(one, other)
        expect(scopeMatcher(both)(required)).toBe(
          scopeMatcher(one)(required) && scopeMatcher(other)(required),
        )
        expect(isSubset(both, one) && isSubset(both, other)).toBe(true)
        expect(both.every(isScope)).toBe(true)
      }),
      runs,
    )
    expect(intersectScopes(['a:read', '*'], ['a.b:*'])).toEqual(['a.b:read', 'a.b:*'])
    expect(intersectScopes(['a:*'], ['b:*', 'openid'])).toEqual([])
  })
})

describe('sharedScopes', () => {
  it('is one frozen object for lists that say the same', () => {
    const shared = sharedScopes(['orders:read', 'profile'])
    expect(shared).toEqual(['orders:read', 'profile'])
    expect(Object.isFrozen(shared)).toBe(true)
    expect(sharedScopes(['orders:read', 'profile'])).toBe(shared)
  })

  it('never takes one list for another', () => {
    const texts = fc.oneof(fc.string(), fc.constantFrom('a', 'b', 'a b', '"', '","', 'a","b'))
    fc.assert(
      fc.property(fc.array(fc.array(texts), { minLength: 1 }), (many) => {
        for (const scopes of many) expect(sharedScopes(scopes)).toEqual(scopes)
      }),
    )
  })

  it('tells lists that are no arrays, as a caller in JavaScript may give', () => {
    const shared = (scopes: ReadonlySet<string>) => Reflect.apply(sharedScopes, undefined, [scopes])
    expect(shared(new Set(['*']))).toEqual(['*'])
    expect(shared(new Set(['orders:read']))).toEqual(['orders:read'])
  })

  it('goes on with more lists than it remembers', () => {
    for (let index = 0; index < 3000; index += 1) expect(sharedScopes([`s${index}`])).toEqual([`s${index}`])
  })
})

describe('isSubset', () => {
  it('takes null for no restriction', () => {
    expect(isSubset(null, null)).toBe(true)
    expect(isSubset(['*'], null)).toBe(true)
    expect(isSubset([], null)).toBe(true)
    expect(isSubset(null, ['*'])).toBe(false)
    expect(isSubset([], [])).toBe(true)
    expect(isSubset(['orders read'], ['*'])).toBe(false)
  })
})

describe('parseScopes', () => {
  const invalid = (...scopes: readonly string[]) =>
    expect.objectContaining({ code: 'invalid', fields: { scopes } })

  it('gives each scope once, in their order, in a list that cannot change', () => {
    const scopes = parseScopes(['orders:read', 'a:*', 'orders:read', '*'])
    expect(scopes).toEqual(['orders:read', 'a:*', '*'])
    expect(Object.isFrozen(scopes)).toBe(true)
    expect(parseScopes([])).toEqual([])
  })

  it.each([[null], [undefined], ['orders:read'], [{ length: 1, 0: 'orders:read' }], [1]])(
    '%j is no list',
    (value) => {
      expect(() => parseScopes(value)).toThrow(invalid('Expected a list of items.'))
    },
  )

  it('takes 100 and no more', () => {
    const many = Array.from({ length: 101 }, (_, index) => `a:${index}`)
    expect(parseScopes(many.slice(1))).toHaveLength(100)
    expect(() => parseScopes(many)).toThrow(invalid('Ensure this field has no more than 100 elements.'))
  })

  it('tells where something is no scope, and never what it is', () => {
    const message = (item: number) => `Item ${item} is not a scope such as orders:read, orders:* or *.`
    expect(() => parseScopes(['a:b', ...NOT_SCOPES, 7, null, ['a:b']])).toThrow(
      invalid(...Array.from({ length: NOT_SCOPES.length + 3 }, (_, index) => message(index + 2))),
    )
  })

  it('refuses what is not known', () => {
    expect(parseScopes(['a:b'], (scope) => scope === 'a:b')).toEqual(['a:b'])
    expect(() => parseScopes(['a:b', 'a:c'], (scope) => scope === 'a:b')).toThrow(
      invalid('Item 2 is not one of the scopes that exist here.'),
    )
  })
})
