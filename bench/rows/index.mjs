/** The table of rows, in the order in which they are measured. A new row is a file here and a line below. */
import { gate } from './gate.mjs'
import { HELLO_ROWS } from './hello.mjs'
import { JWT_COLD_ROWS } from './jwt-cold.mjs'
import { jwtHot } from './jwt-hot.mjs'
import { jwtPair } from './jwt-pair.mjs'
import { LOGIN_ROWS } from './login.mjs'
import { malformed } from './malformed.mjs'
import { peersHttp } from './peers-http.mjs'
import { peersVerify } from './peers-verify.mjs'
import { personalHot } from './personal-hot.mjs'
import { revocation } from './revocation.mjs'
import { changes } from './scale/changes.mjs'
import { memory } from './scale/memory.mjs'
import { processes } from './scale/processes.mjs'
import { SIZE_ROWS } from './scale/sizes.mjs'
import { zipf, zipfPostgres } from './scale/zipf.mjs'
import { verifyCold } from './verify-cold.mjs'
import { verifyHot } from './verify-hot.mjs'

/** @type {readonly import('../lib/row.mjs').Row[]} */
export const ROWS = Object.freeze([
  verifyHot,
  malformed,
  personalHot,
  gate,
  verifyCold,
  jwtHot,
  ...JWT_COLD_ROWS,
  jwtPair,
  peersVerify,
  ...HELLO_ROWS,
  peersHttp,
  revocation,
  ...LOGIN_ROWS,
  memory,
  ...SIZE_ROWS,
  zipf,
  zipfPostgres,
  processes,
  changes,
])
