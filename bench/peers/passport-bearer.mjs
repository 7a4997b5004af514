/** Passport with passport-http-bearer, over the tokens of Latchkey's own database: one prepared look-up by SHA-256. */
import { hash } from 'node:crypto'
import Database from 'better-sqlite3'
import passportModule from 'passport'
import { Strategy } from 'passport-http-bearer'

/** The columns that are looked at: less than Latchkey reads. */
const LOOK_UP = `
  SELECT users.id, users.username, users.is_active, tokens.expires_at
  FROM tokens JOIN users ON users.id = tokens.user_id WHERE tokens.digest = ?`

/**
 * The middleware that its documentation puts before a route: it puts the user on the request, or answers 401.
 * @param {string} path a database of Latchkey's
 */
export function passportBearer(path) {
  const database = new Database(path)
  const byDigest = database.prepare(LOOK_UP)
  const passport = new passportModule.Passport()
  passport.use(
    new Strategy((token, done) => {
      const row = byDigest.get(hash('sha256', token, 'buffer'))
      const isGood = row?.is_active === 1 && (row.expires_at === null || row.expires_at > Date.now())
      done(null, isGood ? { id: row.id, username: row.username } : false)
    }),
  )
  return { middleware: passport.authenticate('bearer', { session: false }), close: () => database.close() }
}
