// Holds a new file's write lock, not yet in WAL mode, for 300 ms after the parent said go.
import Database from 'better-sqlite3'
import { place, say, started } from './support.mjs'

const database = new Database(place)
database.exec('CREATE TABLE t (x); BEGIN IMMEDIATE')
say('ready')
await started()
setTimeout(() => {
  database.exec('ROLLBACK; DROP TABLE t')
  database.close()
  process.stdin.destroy()
}, 300)
