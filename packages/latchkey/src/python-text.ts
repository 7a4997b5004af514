/** Text as Python sees it, where the originals' answers depend on that. A leaf. */

/** Python's `str.isspace`: unlike `trim`, with U+001C to U+001F and U+0085, and without U+FEFF. */
const PYTHON_BLANK = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

/** Without white space at both ends, as Python's `str.strip` sees it. */
export function trimPython(text: string): string {
  let [begin, end] = [0, text.length]
  while (begin < end && PYTHON_BLANK.test(text.charAt(begin))) begin++
  while (end > begin && PYTHON_BLANK.test(text.charAt(end - 1))) end--
  return text.slice(begin, end)
}

/** Without ASCII blanks at both ends: `bytes.strip`. `String.prototype.trim` would also take U+00A0, which may be half a character. */
export function trimAscii(text: string): string {
  let [begin, end] = [0, text.length]
  while (begin < end && isAsciiBlank(text.charCodeAt(begin))) begin++
  while (end > begin && isAsciiBlank(text.charCodeAt(end - 1))) end--
  return text.slice(begin, end)
}

function isAsciiBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d)
}
