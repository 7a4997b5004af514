import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { sqlite } from '@latchkey/sql'
import { createLatchkey } from 'latchkey'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeTerminal } from '../../test/fake-terminal.js'
import { run } from './run.js'

const GOOD = 'correct horse battery'
let folder = ''

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-dialogue-'))
  await run(['migrate'], new FakeTerminal(folder, []).io)
  // Makes the secret, which would be told once otherwise.
  await run(['token', 'list'], new FakeTerminal(folder, []).io)
})

afterEach(() => rmSync(folder, { recursive: true }))

async function at(argv: readonly string[], ...answers: readonly string[]) {
  const terminal = new FakeTerminal(folder, answers)
  const exitCode = await run(argv, terminal.io)
  const { stdout, stderr, echoed } = terminal
  return { exitCode, stdout, stderr, echoed }
}

async function canLogIn(username: string, password: string): Promise<boolean> {
  const latchkey = createLatchkey({ store: sqlite(join(folder, 'latchkey.sqlite3')), secret: 'x'.repeat(32) })
  const user = await latchkey.login.login({ username, password, address: '127.0.0.1' })
  await latchkey.close()
  return user !== null
}

describe('createsuperuser at a terminal', () => {
  it('asks for the password twice and shows it never', async () => {
    const argv = ['createsuperuser', '--username', 'vitor', '--email', 'vitor@example.com']
    expect(await at(argv, `${GOOD}\r`, `${GOOD}\r`)).toEqual({
      exitCode: 0,
      stdout: 'Superuser created successfully.\n',
      stderr: 'Password: \nPassword (again): \n',
      echoed: '',
    })
    expect(await canLogIn('vitor', GOOD)).toBe(true)
  })

  it('asks for what is missing, and offers the name that the machine knows', async () => {
    const name = userInfo().username.toLowerCase()
    const { stderr, exitCode } = await at(['createsuperuser'], '\n', '\n', `${GOOD}\r`, `${GOOD}\r`)
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(
      new RegExp(`^Username \\(leave blank to use '${name}'\\): Email address: Password: `),
    )
    expect(await canLogIn(name, GOOD)).toBe(true)
  })

  it('asks again for a name that is taken, and for an empty one', async () => {
    const own = userInfo().username.toLowerCase()
    await at(['createuser', own, '--noinput'])
    const { stderr } = await at(
      ['createsuperuser'],
      `${own}\n`,
      '\n',
      'ana\n',
      '\n',
      `${GOOD}\r`,
      `${GOOD}\r`,
    )
    expect(stderr).toMatch(
      /^Username: Error: That username is already taken\.\nUsername: Error: This field cannot be blank\./,
    )
    expect(await canLogIn('ana', GOOD)).toBe(true)
  })

  it('refuses a taken name that was given, before it asks for anything', async () => {
    await at(['createuser', 'vitor', '--noinput'])
    const stderr = 'CommandError: That username is already taken.\n'
    expect(await at(['createsuperuser', '--username', 'vitor'])).toMatchObject({ exitCode: 1, stderr })
  })

  it("uses Django's words for passwords that differ, are blank, or are weak", async () => {
    const argv = ['createsuperuser', '--username', 'vitor', '--email', '']
    const answers = [
      'one\r',
      'other\r',
      ' \r',
      ' \r',
      '12345\r',
      '12345\r',
      'n\n',
      '12345\r',
      '12345\r',
      'Y\n',
    ]
    const { stderr, exitCode } = await at(argv, ...answers)
    expect(exitCode).toBe(0)
    const twice = 'Password: \nPassword (again): \n'
    const weak =
      'This password is too short. It must contain at least 8 characters.\nThis password is too common.\n' +
      'This password is entirely numeric.\nBypass password validation and create user anyway? [y/N]: '
    expect(stderr).toBe(
      `${twice}Error: Your passwords didn't match.\n${twice}Error: Blank passwords aren't allowed.\n${twice}${weak}${twice}${weak}`,
    )
    expect(await canLogIn('vitor', '12345')).toBe(true)
  })

  it('is cancelled by Ctrl-C, and creates nobody', async () => {
    const { exitCode, stderr } = await at(
      ['createsuperuser', '--username', 'vitor', '--email', ''],
      `${GOOD}\r`,
      '\u0003',
    )
    expect(exitCode).toBe(130)
    expect(stderr).toMatch(/\nOperation cancelled\.\n$/)
    expect((await at(['user', 'list'])).stderr).toBe('No users.\n')
  })

  it('is cancelled by Ctrl-C at a question that shows what is typed, too', async () => {
    const listeners = process.listenerCount('SIGINT')
    const { exitCode, stderr } = await at(['createsuperuser'], '\u0003')
    expect([exitCode, stderr]).toEqual([130, expect.stringMatching(/\nOperation cancelled\.\n$/)])
    expect(process.listenerCount('SIGINT')).toBe(listeners)
    // Nothing waits for the terminal any more, which would keep the process.
    const terminal = new FakeTerminal(folder, ['\u0003'])
    await run(['createsuperuser'], terminal.io)
    expect([terminal.io.stdin.isPaused(), terminal.io.stdin.listenerCount('data')]).toEqual([true, 0])
  })

  it('asks again for an address that cannot be one, and refuses one that was given', async () => {
    const argv = ['createuser', 'vitor']
    const { stderr, exitCode } = await at(argv, 'nobody\n', 'vitor@example.com\n', `${GOOD}\r`, `${GOOD}\r`)
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/^Email address: Error: Enter a valid email address\.\nEmail address: Password: /)
    expect(await at([...argv, '--email', 'x'])).toMatchObject({ exitCode: 1 })
  })

  it('asks for another password where none of its kind can be taken', async () => {
    const argv = ['createuser', 'vitor', '--email', '', '--allow-weak-password']
    const long = `${'x'.repeat(4097)}\r`
    const { stderr, exitCode } = await at(argv, long, long, `${GOOD}\r`, `${GOOD}\r`)
    expect(exitCode).toBe(0)
    expect(stderr).toContain(
      'This password is too long. It must contain at most 4096 characters.\nPassword: ',
    )
    expect(stderr).not.toContain('Bypass')
  })
})

describe('changepassword at a terminal', () => {
  beforeEach(() => at(['createuser', 'vitor', '--noinput']))

  it('sets the password that was typed twice', async () => {
    expect(await at(['changepassword', 'vitor'], `${GOOD}\r`, `${GOOD}\r`)).toEqual({
      exitCode: 0,
      stdout: "Password changed successfully for user 'vitor'\n",
      stderr: "Changing password for user 'vitor'\nPassword: \nPassword (again): \n",
      echoed: '',
    })
    expect(await canLogIn('vitor', GOOD)).toBe(true)
  })

  it('gives up after three attempts', async () => {
    const { exitCode, stderr } = await at(
      ['changepassword', 'vitor'],
      'a\r',
      'b\r',
      '12345\r',
      '12345\r',
      '\r',
      '\r',
    )
    expect(exitCode).toBe(1)
    expect(stderr).toContain('Passwords do not match. Please try again.\n')
    expect(stderr).toContain('This password is entirely numeric.\n')
    expect(stderr).toMatch(/CommandError: Aborting password change for user 'vitor' after 3 attempts\n$/)
  })
})
