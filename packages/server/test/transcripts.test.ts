import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Played, parse, rewritten, Transcript } from './transcript.js'

const FOLDER = fileURLToPath(new URL('transcripts/', import.meta.url))
const isUpdate = process.env.UPDATE_TRANSCRIPTS === '1'

describe('the command line', () => {
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.txt'))) {
    it(`answers as in ${name}, and leaks no secret`, () => {
      const transcript = new Transcript()
      try {
        const text = readFileSync(FOLDER + name, 'utf8')
        const played = parse(text).map((step) => transcript.play(step))
        if (isUpdate) writeFileSync(FOLDER + name, rewritten(text, played))
        else for (const { actual, expected } of played) expect(actual).toEqual(expected)
        expect(played.length).toBeGreaterThan(0)
        refuseLeaks(transcript, played)
      } finally {
        transcript.remove()
      }
    })
  }
})

/** Passwords are never repeated, tokens never stored, and the server's secrets never printed. */
function refuseLeaks(transcript: Transcript, played: readonly Played[]): void {
  const outputs = played.map(({ output }) => output).join('\n')
  const files = transcript.files()
  const passwords = played.flatMap(({ expected }) => expected.stdin).filter((line) => line.length >= 8)
  for (const password of passwords) expect(outputs).not.toContain(password)
  for (const secret of [...passwords, ...transcript.captured.values()]) {
    for (const { name, bytes } of files) expect(bytes.includes(secret), `${name} holds a secret`).toBe(false)
  }
  const sealing = files
    .filter(({ name }) => name.includes('.latchkey/'))
    .map(({ bytes }) => bytes.toString('utf8'))
  for (const secret of sealing.flatMap((lines) => lines.split('\n')).filter((line) => line !== '')) {
    expect(outputs).not.toContain(secret)
  }
}
