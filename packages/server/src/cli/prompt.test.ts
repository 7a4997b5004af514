import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { FakeTerminal } from '../../test/fake-terminal.js'
import type { Io } from './output.js'
import { Interrupted, Prompt, passwordFromStdin } from './prompt.js'

const hidden = async (...typed: readonly string[]) => {
  const terminal = new FakeTerminal('/', typed)
  const answer = await new Prompt(terminal.io).askHidden('Password: ')
  return { answer, terminal }
}

describe('Prompt', () => {
  it('asks on stderr, with the terminal showing what is typed', async () => {
    const terminal = new FakeTerminal('/', ['vitor\n'])
    await expect(new Prompt(terminal.io).ask('Username: ')).resolves.toBe('vitor')
    expect(terminal).toMatchObject({ stdout: '', stderr: 'Username: ', echoed: 'vitor\n' })
  })

  it('shows nothing of a password, and gives the terminal back', async () => {
    const { answer, terminal } = await hidden('s3cret pass\r')
    expect(answer).toBe('s3cret pass')
    expect(terminal).toMatchObject({ stdout: '', stderr: 'Password: \n', echoed: '', isRaw: false })
  })

  it('lets a password be corrected, by letters whatever their bytes', async () => {
    expect((await hidden('pä🔑\u007f\u007fa\bss\r')).answer).toBe('pss')
    expect((await hidden('wrong\u0015right\r')).answer).toBe('right')
  })

  it.each(['\u0003', '\u0004'])('stops at %j and gives the terminal back', async (key) => {
    const terminal = new FakeTerminal('/', [`half${key}`])
    await expect(new Prompt(terminal.io).askHidden('Password: ')).rejects.toThrow(Interrupted)
    expect(terminal.isRaw).toBe(false)
  })

  it('stops at the end of input', async () => {
    const prompt = new Prompt(new FakeTerminal('/', []).io)
    await expect(prompt.ask('Username: ')).rejects.toThrow(Interrupted)
    await expect(prompt.askHidden('Password: ')).rejects.toThrow(Interrupted)
  })

  it('keeps what was typed ahead for the next question', async () => {
    const terminal = new FakeTerminal('/', ['vitor\nsecret\r\nagain\n'])
    const prompt = new Prompt(terminal.io)
    await expect(prompt.ask('Username: ')).resolves.toBe('vitor')
    await expect(prompt.askHidden('Password: ')).resolves.toBe('secret')
    await expect(prompt.ask('Again: ')).resolves.toBe('again')
  })
})

describe('passwordFromStdin', () => {
  const from = (text: string | readonly Uint8Array[], isTTY = false) => {
    const stdin = Object.assign(new PassThrough(), { isTTY })
    for (const chunk of typeof text === 'string' ? [text] : text) stdin.write(chunk)
    stdin.end()
    const io: Io = { stdin, stdout: process.stdout, stderr: process.stderr, env: {}, cwd: '/' }
    return passwordFromStdin(io)
  }

  it.each([
    ['one line', 'pass word\n', 'pass word'],
    ['a line without its end', 'pass word', 'pass word'],
    ['a Windows line', 'pass word\r\n', 'pass word'],
    ['the first of several', 'pass\nword\n', 'pass'],
    ['blanks at both ends', ' pass \n', ' pass '],
  ])('takes %s', async (_name, text, password) => {
    await expect(from(text)).resolves.toBe(password)
  })

  it('puts letters together that came in pieces', async () => {
    const bytes = Buffer.from('pässword\n')
    await expect(from([bytes.subarray(0, 2), bytes.subarray(2)])).resolves.toBe('pässword')
  })

  it('refuses an empty input, and a terminal, which would show it', async () => {
    await expect(from('')).rejects.toThrow(/standard input is empty/)
    await expect(from('\n')).rejects.toThrow(/standard input is empty/)
    await expect(from('password\n', true)).rejects.toThrow(/reads a pipe/)
  })
})
