/** The version of the running command line, out of its package.json. `--version` and `startproject` ask. */
import { readFileSync } from 'node:fs'

export function packageVersion(): string {
  const url = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version: string }
  return version
}
