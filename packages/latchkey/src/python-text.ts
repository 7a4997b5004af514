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
