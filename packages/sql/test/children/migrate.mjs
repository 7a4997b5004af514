// Opens a file that may not exist yet and migrates it; prints the names of the migrations it applied.
import { open, say, started } from './support.mjs'

say('ready')
await started()
const store = open()
const applied = await store.migrate()
await store.users.insert({
  username: `user ${process.pid}`,
  email: '',
  isActive: true,
  isStaff: false,
  isSuperuser: false,
  dateJoined: new Date(0),
  lastLogin: null,
  passwordHash: '!',
})
say(JSON.stringify(applied))
await store.close()
process.stdin.destroy()
