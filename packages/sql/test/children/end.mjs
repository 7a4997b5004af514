// Opens a store and leaves the event loop empty: the process has to end by itself.
import { path, say, sqlite } from './support.mjs'

const store = sqlite(path)
await store.users.list()
store.changes.catchUp()
say('done')
