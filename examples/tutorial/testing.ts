/** The project on a database of its own, with the user vitor: what each test file starts from. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApp } from '@latchkey/server'
import { sqlite } from '@latchkey/sql'
import { createLatchkey } from 'latchkey'
import { urlpatterns } from './urls.js'

export const PASSWORD = 'correct horse battery staple'

export async function openProject() {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-tutorial-'))
  const latchkey = createLatchkey({
    store: sqlite(join(folder, 'test.sqlite3')),
    secret: 'the secret of a database that lasts for one test',
  })
  const vitor = await latchkey.users.create({ username: 'vitor', password: PASSWORD })
  const app = createApp(latchkey, urlpatterns)
  return {
    latchkey,
    vitor,
    app,
    /** Asks with the token in the header, or with no header for no token. */
    ask: (path: string, token?: string, method = 'GET') =>
      app.request(path, {
        method,
        ...(token !== undefined && { headers: { Authorization: `Token ${token}` } }),
      }),
    /** POSTs fields as a form, as `curl --data-urlencode` does. */
    post: (path: string, fields: Readonly<Record<string, string>>, headers: Record<string, string> = {}) =>
      app.request(path, { method: 'POST', body: new URLSearchParams(fields), headers }),
    async close() {
      await latchkey.close()
      rmSync(folder, { recursive: true })
    },
  }
}
