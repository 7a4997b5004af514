/** Whether a secret can be guessed, as far as its text tells. `createLatchkey`, `latchkey check` and `latchkey serve` ask. */

/** Bits below which a secret can be guessed, as far as its characters tell. */
const MIN_SECRET_BITS = 96

/** What templates, guides and tutorials write where a secret belongs; compared without case and punctuation. */
const PLACEHOLDERS = [
  'changeme',
  'changethis',
  'changeit',
  'replaceme',
  'replacethis',
  'replacewith',
  'placeholder',
  'example',
  'djangoinsecure',
  'insecure',
  'yoursecret',
  'mysecret',
  'thesecret',
  'secretkey',
  'asecret',
  'anewersecret',
  'supersecret',
  'notsosecret',
  'keepitsecret',
  'donotuse',
  'password',
  'passphrase',
  'characters',
  'random',
  'testsecret',
  'devsecret',
  'development',
  'localhost',
  'latchkey',
  'qwerty',
  'letmein',
]

/** Rows of a keyboard and of counting, forwards; a secret that is mostly these can be guessed. */
const SEQUENCES = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiopasdfghjklzxcvbnm']

/**
 * Why a secret protects nothing; null: nothing speaks against it. Never a part of the secret.
 */
export function secretWeakness(secret: string): string | null {
  const text = secret.toLowerCase().replace(/[^a-z0-9]/g, '')
  const random = text.replace(/^lks2/, '')
  if (/^secret/.test(random) || PLACEHOLDERS.some((word) => random.includes(word))) {
    return 'it is a placeholder'
  }
  if (wordBits(secret) < MIN_SECRET_BITS) return 'it is made of words'
  if (sequenceShare(random) > 0.5) return 'it is a sequence of keys or numbers'
  if (repeats(random)) return 'it repeats itself'
  return shannonBits(secret) < MIN_SECRET_BITS ? 'it does not look random' : null
}

/** Bits of a text that is words and nothing else; infinite for any other text. A word of a language has about 11. */
function wordBits(secret: string): number {
  const words = secret.trim().split(/[\s_.,:;-]+/)
  return words.every((word) => /^[a-z]{1,14}$/i.test(word)) ? 11 * words.length : Number.POSITIVE_INFINITY
}

/** The part of a text that lies in runs of 5 or more characters that follow each other, forwards or backwards. */
function sequenceShare(text: string): number {
  const rows = SEQUENCES.flatMap((row) => [row, [...row].reverse().join('')])
  let covered = 0
  for (let at = 0; at < text.length; ) {
    let length = 0
    while (at + length < text.length && rows.some((row) => row.includes(text.slice(at, at + length + 1))))
      length += 1
    if (length >= 5) covered += length
    at += Math.max(1, length)
  }
  return text.length === 0 ? 1 : covered / text.length
}

/** Whether a text is one part of at most half its length, again and again. */
function repeats(text: string): boolean {
  for (let length = 1; length <= text.length / 2; length += 1) {
    if (text.slice(length) === text.slice(0, text.length - length)) return true
  }
  return false
}

/** How many bits the characters of a text carry at the most. */
function shannonBits(text: string): number {
  const counts = new Map<string, number>()
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  return [...counts.values()].reduce((bits, count) => bits - count * Math.log2(count / text.length), 0)
}
