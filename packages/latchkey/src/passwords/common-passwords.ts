/** The passwords that everybody tries first; `commonPassword()` of password-validators.ts looks them up. */
import { inflateRawSync } from 'node:zlib'
import { COMMON_PASSWORDS_PACKED } from './common-passwords.gen.js'

let passwords: ReadonlySet<string> | undefined

/** About 20,000 common passwords in lower case (the public list by Royce Williams); unpacked at the first call. */
export function commonPasswords(): ReadonlySet<string> {
  passwords ??= unpack(COMMON_PASSWORDS_PACKED)
  return passwords
}

/** Each line: how many characters it shares with the one before, as one base-36 digit, and the rest. */
function unpack(packed: string): ReadonlySet<string> {
  const lines = inflateRawSync(Buffer.from(packed, 'base64')).toString('utf8').split('\n')
  let previous = ''
  const words = lines.map((line) => {
    previous = previous.slice(0, Number.parseInt(line.charAt(0), 36)) + line.slice(1)
    return previous
  })
  return new Set(words)
}
