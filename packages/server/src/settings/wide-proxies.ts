/** Whether trusted proxies are so many addresses that callers choose their own address. `check` and `serve` ask. */
import { isIP } from 'node:net'

/** Larger parts of all public addresses belong to no deployment: the largest cloud has less. */
const MAX_SHARE = 1 / 32

interface Range {
  readonly first: bigint
  /** Exclusive. */
  readonly end: bigint
}

const V4_START = 0xffff_0000_0000n

/** Addresses that strangers come from, by family. An IPv4 address is the one in `::ffff:0:0/96`. */
const PUBLIC: ReadonlyArray<readonly [family: string, ranges: readonly Range[]]> = [
  [
    'IPv4',
    without(
      rangeOf('0.0.0.0/0'),
      [
        '0.0.0.0/8',
        '10.0.0.0/8',
        '100.64.0.0/10',
        '127.0.0.0/8',
        '169.254.0.0/16',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '224.0.0.0/3',
      ].map(rangeOf),
    ),
  ],
  ['IPv6', [rangeOf('2000::/3')]],
]

/**
 * Why a list of trusted proxies lets callers choose their own address: together they are a large part of all public
 * addresses, however the list is divided. Null: they are not.
 *
 * @param proxies addresses and CIDR ranges that were checked before
 */
export function proxiesWeakness(proxies: readonly string[]): string | null {
  const trusted = proxies.map(rangeOf)
  for (const [family, ranges] of PUBLIC) {
    const all = size(ranges)
    const share = Number(all - size(ranges.flatMap((range) => without(range, trusted)))) / Number(all)
    if (share > MAX_SHARE) return `they are ${Math.floor(share * 100)} % of all public ${family} addresses`
  }
  return null
}

function size(ranges: readonly Range[]): bigint {
  return ranges.reduce((sum, { first, end }) => sum + (end - first), 0n)
}

/** What is left of a range. */
function without(range: Range, taken: readonly Range[]): readonly Range[] {
  return taken.reduce<readonly Range[]>((left, one) => left.flatMap((part) => cut(part, one)), [range])
}

function cut(range: Range, { first, end }: Range): readonly Range[] {
  if (end <= range.first || first >= range.end) return [range]
  const parts = [
    { first: range.first, end: first },
    { first: end, end: range.end },
  ]
  return parts.filter((part) => part.first < part.end)
}

function rangeOf(entry: string): Range {
  const [address = '', bits] = entry.split('/')
  const isV4 = isIP(address) === 4
  const width = isV4 ? 32 : 128
  const rest = BigInt(width - Number(bits ?? width))
  const first = ((isV4 ? V4_START + v4Number(address) : v6Number(address)) >> rest) << rest
  return { first, end: first + (1n << rest) }
}

function v4Number(address: string): bigint {
  return address.split('.').reduce((number, part) => (number << 8n) | BigInt(part), 0n)
}

function v6Number(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address.split('%')[0] ?? '')
  const low = dotted === null ? 0n : v4Number(dotted[2] ?? '')
  const text =
    dotted === null
      ? (address.split('%')[0] ?? '')
      : `${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const all = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  return all.reduce((number, group) => (number << 16n) | BigInt(`0x${group}`), 0n)
}
