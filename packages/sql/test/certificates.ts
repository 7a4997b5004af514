/** A certificate authority and certificates of a server, made with openssl for the tests of one file. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { giveToServiceUser } from '../../../tools/lib/service-user.mjs'

export interface Authority {
  /** The file with its certificate. */
  readonly file: string
  /** Makes a certificate for names as openssl writes them (`DNS:localhost`, `IP:127.0.0.1`). */
  issue(names: string): { readonly certificate: string; readonly key: string }
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-certificates-'))
  chmodSync(folder, 0o755)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  openssl(
    'req',
    '-x509',
    ...newKey,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=Test CA',
    '-days',
    '2',
  )
  let count = 0
  return {
    file: join(folder, 'ca.crt'),
    issue(names) {
      count += 1
      const [key, request, certificate] = [`${count}.key`, `${count}.csr`, `${count}.crt`]
      openssl('req', ...newKey, '-keyout', key, '-out', request, '-subj', '/CN=PostgreSQL')
      writeFileSync(join(folder, 'names'), `subjectAltName=${names}`)
      const signed = [
        '-CA',
        'ca.crt',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-extfile',
        'names',
        '-days',
        '2',
      ]
      openssl('x509', '-req', '-in', request, '-out', certificate, ...signed)
      // The server refuses a key that others can read, or that is not its own.
      chmodSync(join(folder, key), 0o600)
      giveToServiceUser(join(folder, key))
      return { certificate: join(folder, certificate), key: join(folder, key) }
    },
  }
}
