/**
 * Where a token may be used from: addresses and CIDR ranges. The token service checks what callers ask for, the
 * verifier what a request comes from. A leaf of `tokens/`.
 */
import { isIP } from 'node:net'
import { LatchkeyError } from '../errors.js'

const MAX_ALLOWED_ADDRESSES = 50

/**
 * The addresses and ranges that a caller asks for, each once, in their order: `203.0.113.7`, `10.0.0.0/8`,
 * `2001:db8::/32`. An empty list is refused: nobody could use that token.
 *
 * @throws LatchkeyError `invalid` for the field `allowed_addresses`. It tells positions and no texts.
 */
export function parseAllowedAddresses(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw invalid(['Expected a list of items.'])
  if (value.length === 0) throw invalid(['This list may not be empty.'])
  if (value.length > MAX_ALLOWED_ADDRESSES) {
    throw invalid([`Ensure this field has no more than ${MAX_ALLOWED_ADDRESSES} elements.`])
  }
  const entries = new Set<string>()
  const messages: string[] = []
  for (const [index, item] of value.entries()) {
    const range = typeof item === 'string' ? rangeOf(item) : null
    if (range === null) {
      messages.push(
        `Item ${index + 1} is neither an address nor a range such as 10.0.0.0/8 or 2001:db8::/32.`,
      )
    } else if (!range.isStart) {
      messages.push(`Item ${index + 1} is no range: its address has bits beyond the length of the prefix.`)
    } else {
      entries.add(item)
    }
  }
  if (messages.length > 0) throw invalid(messages)
  return Object.freeze([...entries])
}

function invalid(messages: readonly string[]): LatchkeyError {
  return new LatchkeyError('invalid', { fields: { allowed_addresses: messages } })
}

/**
 * Whether an address is on the list. IPv4 is the same written as IPv6 (`::ffff:192.0.2.1`); zones (`%eth0`) do not
 * count. False for what is no address, an unknown peer among it.
 */
export type AddressMatcher = (address: string) => boolean

/** Compiles a list. What is on it and is no range allows nothing. */
export function addressMatcher(allowed: readonly string[]): AddressMatcher {
  const ranges = allowed.map(rangeOf).filter((range) => range !== null)
  const [v4, v6] = [ranges.filter(({ isV4 }) => isV4), ranges.filter(({ isV4 }) => !isV4)]
  // A token comes from the same address most of the time.
  let lastAllowed: string | undefined
  return (address) => {
    if (address === lastAllowed) return true
    const words = wordsOf(address)
    const isAllowed = words !== null && (isMapped(words) ? v4 : v6).some((range) => contains(range, words))
    // Written anew: one that was cut out of a header would keep all of it in memory.
    if (isAllowed) lastAllowed = Buffer.from(address, 'latin1').toString('latin1')
    return isAllowed
  }
}

/** 128 bits as four numbers. An IPv4 address is the one inside of `::ffff:0:0/96`. */
type Words = readonly [number, number, number, number]

interface Range {
  readonly words: Words
  readonly mask: Words
  /** A range of IPv6 that is wider than all of IPv4 holds no IPv4 address: `::/0` is every IPv6 address. */
  readonly isV4: boolean
  /** No bit is set beyond the prefix: `10.0.0.5/8` is a slip, and nobody knows of which half. */
  readonly isStart: boolean
}

/** Longer than any text of a range. */
const MAX_RANGE_LENGTH = 64

function rangeOf(text: string): Range | null {
  const [, address, bitsText] =
    /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(text.slice(0, MAX_RANGE_LENGTH)) ?? []
  const words = address === undefined ? null : wordsOf(address)
  if (address === undefined || words === null || text.length > MAX_RANGE_LENGTH) return null
  const addressBits = isIP(address) === 4 ? 32 : 128
  const bits = Number(bitsText ?? addressBits)
  if (bits > addressBits) return null
  const prefix = 128 - addressBits + bits
  const mask: Words = [maskWord(prefix), maskWord(prefix - 32), maskWord(prefix - 64), maskWord(prefix - 96)]
  const isStart = contains({ words, mask }, words)
  return { words, mask, isV4: prefix >= 96 && isMapped(words), isStart }
}

/** The mask of one word of which the first `bits` count. */
function maskWord(bits: number): number {
  if (bits <= 0) return 0
  return bits >= 32 ? -1 : -1 << (32 - bits)
}

function contains({ words, mask }: Pick<Range, 'words' | 'mask'>, address: Words): boolean {
  return (
    (address[3] & mask[3]) === words[3] &&
    (address[2] & mask[2]) === words[2] &&
    (address[1] & mask[1]) === words[1] &&
    (address[0] & mask[0]) === words[0]
  )
}

function isMapped([first, second, third]: Words): boolean {
  return first === 0 && second === 0 && third === 0xffff
}

function wordsOf(address: string): Words | null {
  switch (isIP(address)) {
    case 4:
      return [0, 0, 0xffff, v4Word(address)]
    case 6:
      return v6Words(address)
    default:
      return null
  }
}

const [DOT, ZERO, COLON, PERCENT] = [0x2e, 0x30, 0x3a, 0x25]

/** Of text that `isIP` has let through. */
function v4Word(address: string): number {
  let [word, part] = [0, 0]
  for (let at = 0; at < address.length; at += 1) {
    const code = address.charCodeAt(at)
    if (code === DOT) {
      word = (word << 8) | part
      part = 0
    } else part = part * 10 + (code - ZERO)
  }
  return (word << 8) | part
}

/** Of text that `isIP` has let through: eight groups of 16 bits, of which `::` stands for as many zeros as are missing. */
function v6Words(address: string): Words {
  const groups = [0, 0, 0, 0, 0, 0, 0, 0]
  let [count, group, start, gapAt] = [0, 0, 0, -1]
  for (let at = 0; at <= address.length; at += 1) {
    const code = at < address.length ? address.charCodeAt(at) : PERCENT
    if (code === DOT) {
      const word = v4Word(address.slice(start).split('%', 1)[0] ?? '')
      groups[count++] = word >>> 16
      groups[count++] = word & 0xffff
      break
    }
    if (code !== COLON && code !== PERCENT) {
      group = group * 16 + hexValue(code)
      continue
    }
    if (at > start) groups[count++] = group
    else if (code === COLON) gapAt = count
    if (code === PERCENT) break
    group = 0
    start = at + 1
  }
  if (gapAt >= 0) {
    const end = 8 - (count - gapAt)
    groups.copyWithin(end, gapAt, count).fill(0, gapAt, end)
  }
  const word = (index: number) => ((groups[index] ?? 0) << 16) | (groups[index + 1] ?? 0)
  return [word(0), word(2), word(4), word(6)]
}

function hexValue(code: number): number {
  return code < 0x3a ? code - ZERO : (code | 0x20) - 0x57
}
