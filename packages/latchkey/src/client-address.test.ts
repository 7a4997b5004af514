import { describe, expect, it } from 'vitest'
import { addressBucket, clientAddress, trustedProxies } from './client-address.js'

describe('clientAddress', () => {
  const trust = trustedProxies(['127.0.0.1', '10.0.0.0/8', 'fd00::/8'])

  it.each([
    ['203.0.113.9', undefined, '203.0.113.9', 'no proxy'],
    ['203.0.113.9', '1.2.3.4', '203.0.113.9', 'a client that writes the header itself'],
    ['127.0.0.1', '1.2.3.4', '1.2.3.4', 'one proxy'],
    ['127.0.0.1', '6.6.6.6, 1.2.3.4', '1.2.3.4', 'a client that writes an entry in front of the proxy'],
    ['127.0.0.1', '1.2.3.4, 10.1.1.1', '1.2.3.4', 'two proxies'],
    ['127.0.0.1', '10.1.1.1', '10.1.1.1', 'only proxies'],
    ['::ffff:127.0.0.1', '1.2.3.4', '1.2.3.4', 'a mapped address'],
    ['127.0.0.1', '1.2.3.4:4711', '1.2.3.4', 'a port'],
    ['127.0.0.1', '[2001:db8::1]:4711', '2001:db8::1', 'an IPv6 address with a port'],
    ['127.0.0.1', '[2001:db8::1]', '2001:db8::1', 'an IPv6 address in brackets'],
    ['127.0.0.1', '6.6.6.6, 1.2.3.4:4711, [fd00::2]:1', '1.2.3.4', 'ports all the way'],
    ['127.0.0.1', 'garbage, 1.2.3.4', '1.2.3.4', 'a client that writes what is no address'],
    ['fd00::1', '2001:db8::1', '2001:db8::1', 'IPv6'],
    [undefined, '1.2.3.4', '', 'an unknown peer'],
    ['', '1.2.3.4', '', 'a closed connection'],
    ['::ffff:7f00:1', '1.2.3.4', '1.2.3.4', 'a mapped address in hexadecimal'],
    ['127.0.0.1', '::ffff:c000:201', '192.0.2.1', 'a mapped entry in hexadecimal'],
    ['127.0.0.1', '0:0:0:0:0:FFFF:192.0.2.1', '192.0.2.1', 'a mapped entry in full'],
    ['127.0.0.1', '2001:db8:ffff::1', '2001:db8:ffff::1', 'an IPv6 address with such a group'],
    ['@', '1.2.3.4', '@', 'a peer that is no address'],
  ])('%s with %s counts for %s: %s', (remote, forwarded, expected, _case) => {
    expect(clientAddress(remote, forwarded, trust)).toMatchObject({ caller: expected, counted: expected })
  })

  it.each([
    ['1.2.3.4, garbage', '127.0.0.1'],
    ['unknown', '127.0.0.1'],
    ['', '127.0.0.1'],
    ['1.2.3.4,', '127.0.0.1'],
    ['1.2.3.4:', '127.0.0.1'],
    ['1.2.3.4:port', '127.0.0.1'],
    ['[1.2.3.4', '127.0.0.1'],
    ['[]:80', '127.0.0.1'],
    ['_hidden, 10.1.1.1', '10.1.1.1'],
  ])('never takes the proxy that wrote "%s" for the caller, and counts it as %s', (forwarded, counted) => {
    expect(clientAddress('127.0.0.1', forwarded, trust)).toMatchObject({ caller: '', counted })
  })

  it('says when X-Forwarded-For came and was not read', () => {
    expect(clientAddress('203.0.113.9', '1.2.3.4', trust).ignoresForwarded).toBe(true)
    expect(clientAddress('unix', '1.2.3.4', trust).ignoresForwarded).toBe(true)
    expect(clientAddress('127.0.0.1', '1.2.3.4', trust).ignoresForwarded).toBe(false)
    expect(clientAddress('203.0.113.9', undefined, trust).ignoresForwarded).toBe(false)
  })

  it('believes the peer of a Unix socket where it is named, and only it', () => {
    const trustUnix = trustedProxies(['unix', '10.0.0.1'])
    const read = (remote: string | undefined, forwarded?: string) => {
      const { caller, counted } = clientAddress(remote, forwarded, trustUnix)
      return [caller, counted]
    }
    expect(read('unix', '1.2.3.4')).toEqual(['1.2.3.4', '1.2.3.4'])
    expect(read('unix', '6.6.6.6, 1.2.3.4, 10.0.0.1')).toEqual(['1.2.3.4', '1.2.3.4'])
    expect(read('unix', 'unknown')).toEqual(['', 'unix'])
    expect(read('unix', 'unix')).toEqual(['', 'unix'])
    expect(read('unix')).toEqual(['', 'unix'])
    for (const peer of [undefined, '', '@', 'UNIX', '127.0.0.1', '/run/app.sock'])
      expect(read(peer, '1.2.3.4')).toEqual([peer ?? '', peer ?? ''])
    expect(clientAddress('unix', '1.2.3.4', trust)).toMatchObject({ caller: '', counted: 'unix' })
  })

  it('takes a zone for part of no range', () => {
    expect(trustedProxies(['fe80::/10'])('fe80::1%eth0')).toBe(true)
    expect(trustedProxies(['fe80::/10'])('2001:db8::1%eth0')).toBe(false)
  })

  it('names an entry that is neither an address nor a range', () => {
    for (const wrong of [
      'localhost',
      'UNIX',
      'unix:/run/app.sock',
      'unix/8',
      '10.0.0.0/33',
      '10.0.0.0/8/8',
      '',
      '::1/129',
      '10.0.0.0/x',
    ]) {
      expect(() => trustedProxies([wrong])).toThrow(/^trustedProxies:/)
    }
  })
})

describe('addressBucket', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ])('%s is counted as %s', (address, bucket) => {
    expect(addressBucket(address)).toBe(bucket)
  })
})
