import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressMatcher, parseAllowedAddresses } from './allowed-addresses.js'

describe('addressMatcher', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7', true],
    ['203.0.113.7', '203.0.113.8', false],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '9.255.255.255', false],
    ['128.0.0.0/1', '255.1.2.3', true],
    ['128.0.0.0/1', '127.255.255.255', false],
    ['0.0.0.0/0', '198.51.100.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['203.0.113.7/32', '203.0.113.7', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::1', '2001:0DB8:0:0:0:0:0:1', true],
    ['2001:db8::1', '2001:db8::2', false],
    ['2001:db8:0:1::/64', '2001:db8:0:1:ffff:ffff:ffff:ffff', true],
    ['2001:db8:0:1::/64', '2001:db8:0:2::', false],
    ['2001:db8::8000/113', '2001:db8::ffff', true],
    ['2001:db8::8000/113', '2001:db8::7fff', false],
    ['::/0', '2001:db8::1', true],
    ['::1', '::1', true],
    ['::1', '0.0.0.1', false],
    // Zones say which interface of ours, not who.
    ['fe80::/10', 'fe80::1%eth0', true],
    // IPv4 written as IPv6, on either side.
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::ffff:a01:203', true],
    ['10.0.0.0/8', '::FFFF:11.1.2.3', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['::ffff:0:0/96', '192.0.2.1', true],
    ['::ffff:0:0/96', '2001:db8::1', false],
    // Nobody who writes "all of IPv6" means all of IPv4.
    ['::/0', '192.0.2.1', false],
    ['::/0', '::ffff:192.0.2.1', false],
    ['::/80', '192.0.2.1', false],
    ['64:ff9b::c000:201', '64:ff9b::192.0.2.1', true],
    ['1:2:3:4:5:6:102:304', '1:2:3:4:5:6:1.2.3.4', true],
    ['fe80::192.0.2.1', 'fe80::c000:201%eth0', true],
    ['fe80::c000:201', 'fe80::192.0.2.1%eth0', true],
    // The old notation of ::a.b.c.d is IPv6.
    ['10.0.0.0/8', '::10.1.2.3', false],
    // No addresses.
    ['0.0.0.0/0', '', false],
    ['::/0', '', false],
    ['0.0.0.0/0', 'localhost', false],
    ['0.0.0.0/0', '10.0.0.1:80', false],
    ['::/0', '2001:db8:0:1::/64', false],
  ])('%s and %s: %s', (entry, address, allowed) => {
    expect(addressMatcher(parseAllowedAddresses([entry]))(address)).toBe(allowed)
  })

  it('allows what one of the entries allows', () => {
    const allows = addressMatcher(['192.0.2.0/24', '2001:db8::/32', '203.0.113.7'])
    const asked = ['192.0.2.9', '2001:db8::9', '203.0.113.7', '203.0.113.8', '::1']
    expect(asked.map(allows)).toEqual([true, true, true, false, false])
  })

  it('allows nothing for a list that says nothing, whatever a database holds', () => {
    const allows = addressMatcher(['', 'localhost', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '::/0x0', '*'])
    expect(allows('10.0.0.1')).toBe(false)
    expect(addressMatcher([])('10.0.0.1')).toBe(false)
  })

  it('agrees with the block list of Node on every address and range of one family', () => {
    const FAMILIES = [
      { family: 'ipv4', parts: 4, partBits: 8, near: [0, 1, 9, 10, 11, 127, 128, 255] },
      { family: 'ipv6', parts: 8, partBits: 16, near: [0, 1, 2, 0xdb8, 0x7fff, 0x8000, 0xffff] },
    ] as const
    for (const { family, parts, partBits, near } of FAMILIES) {
      const text = (numbers: readonly number[]) =>
        family === 'ipv4' ? numbers.join('.') : numbers.map((one) => one.toString(16)).join(':')
      const address = fc.array(fc.constantFrom<number>(...near), { minLength: parts, maxLength: parts })
      const range = fc
        .tuple(address, fc.integer({ min: 0, max: parts * partBits }))
        .map(([numbers, bits]) => {
          const zeros = (index: number) => Math.max(0, Math.min(partBits, (index + 1) * partBits - bits))
          const start = numbers.map((one, index) => (one >>> zeros(index)) << zeros(index))
          return { start: text(start), bits }
        })
      fc.assert(
        fc.property(range, address.map(text), ({ start, bits }, asked) => {
          const list = new BlockList()
          list.addSubnet(start, bits, family)
          const allows = addressMatcher(parseAllowedAddresses([`${start}/${bits}`]))
          expect(allows(asked)).toBe(list.check(asked, family))
          expect(allows(start)).toBe(true)
        }),
        { numRuns: 2000 },
      )
    }
  })

  it('reads every notation of one IPv6 address alike', () => {
    const group = fc.constantFrom('0', '00', '1', '0db8', 'DB8', 'ffff')
    fc.assert(
      fc.property(
        fc.array(group, { minLength: 1, maxLength: 3 }),
        fc.array(group, { maxLength: 3 }),
        (before, after) => {
          const zeros = Array<string>(8 - before.length - after.length).fill('0')
          const short = `${before.join(':')}::${after.join(':')}`
          const allows = addressMatcher(parseAllowedAddresses([short]))
          expect(allows([...before, ...zeros, ...after].join(':'))).toBe(true)
          expect(allows([...before, ...zeros.slice(1), '1', ...after].join(':'))).toBe(false)
        },
      ),
    )
  })

  it('answers any text', () => {
    const allows = addressMatcher(['10.0.0.0/8', '2001:db8::/32'])
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[0-9a-f:.%]{0,50}$/)),
        (text) => {
          expect(typeof allows(text)).toBe('boolean')
        },
      ),
    )
    expect(allows('1'.repeat(10_000_000))).toBe(false)
  })
})

describe('addressMatcher', () => {
  it('answers each address by itself, in whatever turns they come', () => {
    const allows = addressMatcher(['10.0.0.0/8'])
    const addresses = ['10.1.1.1', '10.1.1.1', '11.1.1.1', '11.1.1.1', '', '10.1.1.1', 'nonsense', '10.1.1.1']
    expect(addresses.map(allows)).toEqual([true, true, false, false, false, true, false, true])
    expect(addressMatcher(['0.0.0.0/0'])('')).toBe(false)
  })
})

describe('parseAllowedAddresses', () => {
  const invalid = (...messages: readonly string[]) =>
    expect.objectContaining({ code: 'invalid', fields: { allowed_addresses: messages } })

  it('gives each entry once, in their order, in a list that cannot change', () => {
    const entries = parseAllowedAddresses(['10.0.0.0/8', '::1', '10.0.0.0/8'])
    expect(entries).toEqual(['10.0.0.0/8', '::1'])
    expect(Object.isFrozen(entries)).toBe(true)
  })

  it.each([[null], [undefined], ['10.0.0.0/8'], [{}]])('%j is no list', (value) => {
    expect(() => parseAllowedAddresses(value)).toThrow(invalid('Expected a list of items.'))
  })

  it('takes 1 to 50', () => {
    const many = Array.from({ length: 51 }, (_, index) => `10.0.0.${index}`)
    expect(parseAllowedAddresses(many.slice(1))).toHaveLength(50)
    expect(() => parseAllowedAddresses(many)).toThrow(
      invalid('Ensure this field has no more than 50 elements.'),
    )
    expect(() => parseAllowedAddresses([])).toThrow(invalid('This list may not be empty.'))
  })

  it('tells where something is no address, and never what it is', () => {
    const wrong = [
      '',
      ' 10.0.0.1',
      'localhost',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10.0.0',
      '010.0.0.1',
      '::/129',
      'fe80::1%eth0',
      '::1/x',
      `${'0'.repeat(100)}1.0.0.0`,
      `10.0.0.0/8${' '.repeat(60)}`,
      7,
      null,
    ]
    const message = 'is neither an address nor a range such as 10.0.0.0/8 or 2001:db8::/32.'
    expect(() => parseAllowedAddresses(['::1', ...wrong])).toThrow(
      invalid(...wrong.map((_, index) => `Item ${index + 2} ${message}`)),
    )
  })

  it('refuses a range whose address has bits beyond its prefix: one of the two is a slip', () => {
    const slips = ['10.0.0.5/8', '192.0.2.128/24', '2001:db8::1/32', '::ffff:10.0.0.1/104', '::ffff:0:0/90']
    const message = 'is no range: its address has bits beyond the length of the prefix.'
    expect(() => parseAllowedAddresses(slips)).toThrow(
      invalid(...slips.map((_, index) => `Item ${index + 1} ${message}`)),
    )
  })
})
