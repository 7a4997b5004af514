/** UTF-16 code units to text, natively: `String.fromCharCode` takes ten times as long. `charset.ts` calls it. */
import { isAscii } from 'node:buffer'

const IS_BIG_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0

/** The text of code units, which are not looked at. The array may be changed. */
export function unitsText(units: Uint16Array): string {
  const bytes = Buffer.from(units.buffer, units.byteOffset, units.byteLength)
  if (IS_BIG_ENDIAN) bytes.swap16()
  return bytes.toString('utf16le')
}

/** The text of bytes of an encoding that has one character for each byte, of which the first 128 are ASCII. */
export function tableText(bytes: Uint8Array, table: Uint16Array): string {
  if (isAscii(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  const units = new Uint16Array(bytes.length)
  for (let at = 0; at < bytes.length; at++) units[at] = table[bytes[at] ?? 0] ?? 0
  return unitsText(units)
}

/**
 * The text of UTF-16 bytes; halves of surrogate pairs and of a unit stay out of it.
 *
 * @returns the text, and whether something was missing at its very end
 */
export function utf16Text(
  bytes: Uint8Array,
  isBigEndian: boolean,
): { readonly text: string; readonly isCutOff: boolean } {
  const isOdd = bytes.length % 2 === 1
  const even = Buffer.from(isOdd ? bytes.subarray(0, -1) : bytes)
  const text = (isBigEndian ? even.swap16() : even).toString('utf16le')
  const last = text.charCodeAt(text.length - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  return { text: isHalf ? text.slice(0, -1) : text, isCutOff: isOdd || isHalf }
}
