/** The project's settings. `npx latchkey settings` lists every one there is, and where its value comes from. */
import { defineConfig } from '@latchkey/server'
import { isAuthenticated, tokenAuthentication } from 'latchkey'

export default defineConfig({
  database: './latchkey.sqlite3',
  authentication: [tokenAuthentication()],
  permissions: [isAuthenticated],
})
