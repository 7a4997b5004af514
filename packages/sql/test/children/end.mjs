// Opens a store and leaves the event loop empty: the process has to end by itself.
import { open, say } from './support.mjs'

const store = open()
await store.users.list()
store.changes.catchUp()
say('done')
