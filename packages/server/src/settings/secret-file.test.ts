import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  changeSecretFile,
  fileProblem,
  newSecret,
  readOrMakeSecretFile,
  readSecretFile,
} from './secret-file.js'

const isWindows = process.platform === 'win32'
let folder = ''
let file = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'latchkey-secret-'))
  file = join(folder, '.latchkey', 'secret')
})

afterEach(() => rmSync(folder, { recursive: true }))

describe('readOrMakeSecretFile', () => {
  it('makes a file and a folder for their owner only, and reads the same secret ever after', () => {
    const { secrets, made } = readOrMakeSecretFile(file)
    expect(made).toBe(true)
    expect(secrets).toEqual([expect.stringMatching(/^lks2_[0-9a-f]{64}$/)])
    expect(readOrMakeSecretFile(file)).toEqual({ secrets, made: false })
    expect(readdirSync(join(folder, '.latchkey'))).toEqual(['secret'])
    if (isWindows) return
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, '.latchkey')).mode & 0o777).toBe(0o700)
  })

  it('gives processes that start at once the same secret', async () => {
    const module = fileURLToPath(new URL('../../dist/settings/secret-file.js', import.meta.url))
    const script = `import { readOrMakeSecretFile } from ${JSON.stringify(module)}
      process.stdin.once('data', () => {
        process.stdout.write(JSON.stringify(readOrMakeSecretFile(${JSON.stringify(file)})))
        process.exit(0)
      })
      process.stderr.write('ready')`
    const children = Array.from({ length: 6 }, () =>
      spawn(process.execPath, ['--input-type=module', '-e', script]),
    )
    await Promise.all(children.map((child) => once(child.stderr, 'data')))
    const answers = children.map(async (child) => {
      let text = ''
      child.stdout.on('data', (chunk) => {
        text += chunk
      })
      child.stdin.write('go')
      await once(child, 'close')
      return JSON.parse(text) as ReturnType<typeof readOrMakeSecretFile>
    })
    const results = await Promise.all(answers)
    expect(new Set(results.map(({ secrets }) => secrets.join())).size).toBe(1)
    expect(results.filter(({ made }) => made)).toHaveLength(1)
  })

  it('says in one line why it cannot make one', () => {
    writeFileSync(join(folder, '.latchkey'), 'a file')
    expect(() => readOrMakeSecretFile(file)).toThrow(
      /secret: cannot be made: (EEXIST|ENOTDIR); set LATCHKEY_SECRET/,
    )
  })
})

describe('readSecretFile', () => {
  const write = (text: string, mode = 0o600) => {
    const path = join(folder, 'secret')
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  it('reads several lines, newest first', () => {
    const [newest, older] = [newSecret(), newSecret()]
    expect(readSecretFile(write(`${newest}\r\n\n${older}`))).toEqual([newest, older])
  })

  it.runIf(!isWindows).each([0o640, 0o604, 0o644])(
    'refuses a file of mode %o, and names the cure',
    (mode) => {
      expect(() => readSecretFile(write(newSecret(), mode))).toThrow(/chmod 600/)
    },
  )

  it.runIf(!isWindows)('refuses a file that others may replace in its folder, also through a link', () => {
    const open = join(folder, 'open')
    mkdirSync(open)
    writeFileSync(join(open, 'secret'), newSecret(), { mode: 0o600 })
    symlinkSync(join(open, 'secret'), join(folder, 'link'))
    expect(readSecretFile(join(folder, 'link'))).toHaveLength(1)
    chmodSync(open, 0o777)
    for (const path of [join(open, 'secret'), join(folder, 'link')])
      expect(() => readSecretFile(path)).toThrow(/chmod o-w/)
    chmodSync(open, 0o1777)
    expect(readSecretFile(join(open, 'secret'))).toHaveLength(1)
  })

  it("judges mode, owner and folder, and takes what is the own or root's", () => {
    const [own, root, other] = [1000, 0, 1001].map((uid) => (mode: number) => ({ uid, mode }))
    if (!own || !root || !other) throw new Error('three users')
    const problem = (file: { uid: number; mode: number }, ...folders: { uid: number; mode: number }[]) =>
      fileProblem('/x/secret', file, folders, 1000)
    expect(problem(own(0o600), own(0o700))).toBeNull()
    expect(problem(root(0o600), root(0o755))).toBeNull()
    expect(problem(own(0o400), own(0o775), root(0o1777))).toBeNull()
    expect(problem(own(0o640), own(0o700))).toMatch(/chmod 600/)
    expect(problem(other(0o600), own(0o700))).toMatch(/user 1001 owns it.*chown 1000/)
    expect(problem(own(0o600), other(0o700))).toMatch(/user 1001 owns its folder/)
    expect(problem(own(0o600), own(0o700), other(0o700))).toMatch(/user 1001 owns its folder/)
    expect(problem(own(0o600), own(0o777))).toMatch(/chmod o-w/)
    expect(problem(root(0o600), root(0o777))).toMatch(/chmod o-w/)
    // Root reads everything, and believes no file that another user can change.
    expect(fileProblem('/x/secret', other(0o600), [root(0o755)], 0)).toMatch(/user 1001 owns it/)
    expect(fileProblem('/x/secret', root(0o600), [other(0o755)], 0)).toMatch(/user 1001 owns its folder/)
  })

  it.each(['', '\n', 'short\n', `${'x'.repeat(32)}\nshort`])('refuses %j without repeating it', (text) => {
    expect(() => readSecretFile(write(text))).toThrow(/holds no secret|at least 32 characters/)
  })

  it('refuses a file that is not there', () => {
    expect(() => readSecretFile(file)).toThrow(`${file}: does not exist`)
  })
})

describe('changeSecretFile', () => {
  it('replaces the file as a whole, for its owner only', async () => {
    readOrMakeSecretFile(file)
    const secret = newSecret()
    await changeSecretFile(file, async (write) => write([secret]))
    expect(readFileSync(file, 'utf8')).toBe(`${secret}\n`)
    expect(isWindows || (statSync(file).mode & 0o777) === 0o600).toBe(true)
    expect(readdirSync(join(folder, '.latchkey'))).toEqual(['secret'])
  })

  it('lets one at a time, and the next one in when the first has failed', async () => {
    readOrMakeSecretFile(file)
    const before = readFileSync(file, 'utf8')
    const first = changeSecretFile(file, async () => {
      await expect(changeSecretFile(file, async () => undefined)).rejects.toThrow(
        /another rotation is at work/,
      )
      throw new Error('interrupted')
    })
    await expect(first).rejects.toThrow('interrupted')
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect(existsSync(`${file}.lock`)).toBe(false)
    await expect(changeSecretFile(file, async () => 'done')).resolves.toBe('done')
  })
})
