/** Text from outside for a log line or a terminal. Everything that logs or prints such text calls it. A leaf. */

/** C0 and C1 controls, line and paragraph separators, and the marks that change the direction of text. */
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

/**
 * The text without characters that end a line, move a terminal's cursor, change its colours or turn the order of letters
 * around: those become `\u000a`.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeOf)
}

/** The same for text of several lines, such as a stack: every line after the first is indented, so none looks like an entry. */
export function printableLines(text: string): string {
  const [first = '', ...rest] = text.split('\n').map(printable)
  return [first, ...rest.map((line) => (line.startsWith(' ') ? line : `    ${line}`))].join('\n')
}

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
