/** The table of rows, in the order in which they are measured. A new row is a file here and a line below. */
import { gate } from './gate.mjs'
import { HELLO_ROWS } from './hello.mjs'
import { LOGIN_ROWS } from './login.mjs'
import { malformed } from './malformed.mjs'
import { verifyCold } from './verify-cold.mjs'
import { verifyHot } from './verify-hot.mjs'

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const ROWS = Object.freeze([verifyHot, malformed, gate, verifyCold, ...HELLO_ROWS, ...LOGIN_ROWS])
