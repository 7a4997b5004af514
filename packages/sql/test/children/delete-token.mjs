// Deletes the token that the arguments name, and says so once it is done.
import { args, open, say } from './support.mjs'

const store = open()
say(String(await store.tokens.delete(Number(args[0]))))
await store.close()
