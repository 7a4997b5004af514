// Deletes the token that the arguments name, and says so once it is done.
import { args, path, say, sqlite } from './support.mjs'

const store = sqlite(path)
say(String(await store.tokens.delete(Number(args[0]))))
await store.close()
