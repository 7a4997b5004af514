import { BlockList, isIP } from 'node:net'
import { describe, expect, it } from 'vitest'
import { proxiesWeakness } from './wide-proxies.js'

/** Ranges that together are everything but `hole`: a list that was written to get around a look at `/0`. */
function everythingBut(hole: string, bits: number): readonly string[] {
  const address = hole.split('.').map(Number)
  const number = address.reduce((sum, part) => sum * 256 + part, 0)
  return Array.from({ length: bits }, (_, index) => {
    const size = 2 ** (31 - index)
    const sibling = (Math.floor(number / size) % 2 === 0 ? number + size : number - size) - (number % size)
    const parts = [24, 16, 8, 0].map((shift) => Math.floor(sibling / 2 ** shift) % 256)
    return `${parts.join('.')}/${index + 1}`
  })
}

describe('trusted proxies', () => {
  it('that are everybody are found, however they are divided', () => {
    const wide: ReadonlyArray<readonly string[]> = [
      ['0.0.0.0/0'],
      ['0.0.0.0/1', '128.0.0.0/1'],
      ['128.0.0.0/1', '10.0.0.0/8', '64.0.0.0/2', '0.0.0.0/2'],
      ['0.0.0.0/1'],
      ['1.2.3.4/0'],
      ['127.0.0.1', '8.0.0.0/5'],
      everythingBut('203.0.113.7', 32),
      everythingBut('10.0.0.0', 8),
      Array.from({ length: 256 }, (_, number) => `${number}.0.0.0/8`),
      Array.from({ length: 32 }, (_, number) => `${number}.0.0.0/8`),
      ['::/0'],
      ['::/1', '8000::/1'],
      ['8000::/1', '::/1'],
      ['2000::/3'],
      ['2000::/4', '3000::/4'],
      ['2000::/6'],
      ['::ffff:0:0/96'],
      ['::ffff:0.0.0.0/96'],
      ['::ffff:0:0/97', '::ffff:128.0.0.0/97'],
      ['0.0.0.0/1', '::ffff:128.0.0.0/97'],
      ['::/64'],
    ]
    for (const proxies of wide)
      expect(proxiesWeakness(proxies), proxies.join()).toMatch(/% of all public IPv/)
  })

  it('of a deployment are not', () => {
    const narrow: ReadonlyArray<readonly string[]> = [
      [],
      ['127.0.0.1', '::1'],
      ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'],
      ['::ffff:10.0.0.0/104'],
      ['fc00::/7', 'fe80::/10'],
      [
        '173.245.48.0/20',
        '103.21.244.0/22',
        '104.16.0.0/13',
        '2400:cb00::/32',
        '2606:4700::/32',
        '2a06:98c0::/29',
      ],
      ['3.0.0.0/8', '2600:1f00::/24'],
      ['224.0.0.0/3'],
      ['203.0.113.7', '203.0.113.7/32', '2001:db8::1'],
    ]
    for (const proxies of narrow) expect(proxiesWeakness(proxies), proxies.join()).toBeNull()
  })

  it('are the addresses that the list itself matches, those of IPv4 in IPv6 among them', () => {
    const covers = (range: string, address: string) => {
      const list = new BlockList()
      const [start = '', bits = ''] = range.split('/')
      list.addSubnet(start, Number(bits), isIP(start) === 4 ? 'ipv4' : 'ipv6')
      return list.check(address, 'ipv4')
    }
    for (const range of ['::/0', '::/1', '::ffff:0:0/96', '::/64', '0.0.0.0/0'])
      expect([covers(range, '203.0.113.7'), proxiesWeakness([range]) !== null]).toEqual([true, true])
    expect(covers('8000::/1', '203.0.113.7')).toBe(false)
  })
})
