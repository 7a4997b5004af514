// Opens the file and writes a user; prints "ok", or the code and the message of the refusal.
import { open, say } from './support.mjs'

try {
  const store = open()
  await store.users.update(1, { email: 'new@example.com' })
  say('ok')
} catch (error) {
  say(`${error.code}: ${error.message}`)
}
