import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { findPostgres, query } from '../../../sql/test/postgres-server.js'
import { cleanEnvironment, LATCHKEY, parse, rewritten, Transcript } from '../transcript.js'

const server = await findPostgres()
const COMMANDS = fileURLToPath(new URL('commands.txt', import.meta.url))
const PASSWORD = 'correct horse battery'

if (server !== null) {
  const name = `latchkey_cli_${randomBytes(6).toString('hex')}`
  await query(server.url, `CREATE DATABASE ${name}`)
  const address = new URL(server.url)
  address.pathname = `/${name}`
  const place = `postgres://${address.host}/${name}`
  // A server that lets anybody in does not look at it.
  if (address.password === '') address.password = 'hunter2'
  const database = address.href

  const transcript = new Transcript({ LATCHKEY_DATABASE: database })
  transcript.captured.set('place', place)
  const children: ChildProcess[] = []

  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    }
    transcript.remove()
    await query(server.url, `DROP DATABASE ${name} WITH (FORCE)`)
  })

  describe('the command line on PostgreSQL', () => {
    it('answers as it does on SQLite, and shows no password', () => {
      const text = readFileSync(COMMANDS, 'utf8')
      const played = parse(text).map((step) => transcript.play(step))
      if (process.env.UPDATE_TRANSCRIPTS === '1') writeFileSync(COMMANDS, rewritten(text, played))
      else for (const { actual, expected } of played) expect(actual).toEqual(expected)
      for (const { output } of played) expect(output).not.toContain('hunter2')
    })

    it('serves from two nodes, and both refuse what a third process has revoked', async () => {
      const [first, second] = [await serve(), await serve()]
      const body = new URLSearchParams({ username: 'ana', password: PASSWORD })
      const response = await fetch(`${first}/api-token-auth/`, { method: 'POST', body })
      const { token } = (await response.json()) as { token: string }
      const hello = async (url: string) => {
        const answer = await fetch(`${url}/hello/`, { headers: { Authorization: `Token ${token}` } })
        return answer.status
      }
      for (const url of [first, second, second]) expect(await hello(url)).toBe(200)
      const revoked = transcript.play({
        command: 'latchkey token revoke --user ana',
        stdin: [],
        stdout: [],
        stderr: [],
        exitCode: 0,
      })
      expect(revoked.actual.exitCode).toBe(0)
      for (const url of [first, second]) await expect.poll(() => hello(url)).toBe(401)
    })
  })

  /** Starts `latchkey serve` and waits for its line. */
  async function serve(): Promise<string> {
    const env = { ...cleanEnvironment(), LATCHKEY_DATABASE: database }
    const child = spawn(process.execPath, [LATCHKEY, 'serve', '0'], { cwd: transcript.folder, env })
    children.push(child)
    let stderr = ''
    return new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(stderr)))
      child.stderr.on('data', (chunk) => {
        stderr += chunk
        const [, url] = /listens on (\S+)\//.exec(stderr) ?? []
        if (url !== undefined) resolve(url)
      })
    })
  }
}
