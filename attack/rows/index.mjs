/**
 * The table of attacks, in the order in which they are made.
 *
 * @typedef {object} Row
 * @property {string} name
 * @property {string} expects the invariant, in words
 * @property {(context: Context) => Iterable<import('../lib/judge.mjs').Attack>} attacks
 *
 * @typedef {object} Context
 * @property {import('../lib/world.mjs').World} world
 * @property {import('../lib/targets.mjs').Target} target
 * @property {string} listenerUrl a server of the attacker, which must not be asked
 */
import { BROWSER_ROWS } from './browsers.mjs'
import { CONFUSION_ROWS } from './confusion.mjs'
import { JWT_ROWS } from './jwt.mjs'
import { PATH_ROWS } from './paths.mjs'
import { SMUGGLING_ROWS } from './smuggling.mjs'

/** @type {readonly Row[]} */
export const ROWS = Object.freeze([
  ...JWT_ROWS,
  ...CONFUSION_ROWS,
  ...SMUGGLING_ROWS,
  ...PATH_ROWS,
  ...BROWSER_ROWS,
])
