/** Prevents documented commands that nobody can run: finds `latchkey …` in shell text and asks the CLI about each. */

/** The invocations of `latchkey` in a line of shell, each as the words that follow it. */
export function invocations(line) {
  const words = line.match(/"[^"]*"|'[^']*'|\$\(|&&|\|\||[|;()<>]|#.*$|[^\s|;()<>&"']+|[^\s]/g) ?? []
  const found = []
  let current = null
  let atStart = true
  for (const word of words) {
    if (word.startsWith('#')) break
    if (/^(&&|\|\||[|;()]|\$\()$/.test(word)) {
      current = null
      atStart = true
    } else if (current) current.push(word)
    else if (atStart && word === 'latchkey') {
      current = []
      found.push(current)
    } else if (!/^(npx|exec|sudo|--no-install|--yes|-y|--|npm|\$|\w+=.*)$/.test(word)) atStart = false
  }
  return found.map((each) => {
    const redirected = each.findIndex((word) => /^[<>&]$/.test(word))
    return redirected < 0 ? each : each.slice(0, redirected)
  })
}

/** The lines that a reader would type, backslashes joined: after `$ ` in a console block, all in a script. */
export function typedLines({ info, text, line }) {
  const typed = []
  let open = null
  for (const [index, raw] of text.split('\n').entries()) {
    const start = info === 'console' ? /^\s*\$ (.*)$/.exec(raw)?.[1] : raw
    const part = open ? raw.replace(/^\s*>\s/, '') : start
    if (part === undefined) continue
    open ??= { text: '', line: line + index }
    open.text += part.replace(/\\$/, ' ')
    if (part.endsWith('\\')) continue
    typed.push(open)
    open = null
  }
  return typed
}

/**
 * What is wrong with the words after `latchkey`; null when the command and all its flags exist. Words with an ellipsis
 * or a placeholder stand for anything.
 * @param {readonly string[]} words
 * @param {(path: readonly string[]) => Promise<{ commands: Array<{ name: string }>, flags: string[] } | null>} help
 */
export async function commandFault(words, help) {
  const path = []
  let described = await help(path)
  const flags = new Set(described.flags)
  const flagsGiven = []
  for (const word of words) {
    if (word === '--') break
    if (/^-{1,2}\w/.test(word)) {
      flagsGiven.push(word.split('=')[0])
      continue
    }
    if (described.commands.length === 0 || flagsGiven.length > 0) continue
    if (/^["']?[<[…]|…/.test(word)) return null
    const next = await help([...path, word])
    if (next === null) return `latchkey ${[...path, word].join(' ')}: there is no such command`
    path.push(word)
    described = next
    for (const flag of next.flags) flags.add(flag)
  }
  const wrong = flagsGiven.find((flag) => !flags.has(flag) && flag !== '--help' && flag !== '-h')
  return wrong ? `latchkey ${path.join(' ')}: there is no ${wrong}` : null
}
