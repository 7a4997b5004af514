/** The probe as a program, which bundlers bundle. */
import * as sql from '@latchkey/sql'
import * as latchkey from 'latchkey'
import * as testing from 'latchkey/testing'
import { probe } from './probe.mjs'

/** The copy that is not bundled: bundlers do not see through the variable. */
const name = 'latchkey'
const hasOther = process.argv.includes('--other')
const run = async () => {
  const other = hasOther ? await import(/* webpackIgnore: true */ name) : latchkey
  if (hasOther && other.LatchkeyError === latchkey.LatchkeyError) throw new Error('there is one copy only')
  const faults = await probe({ latchkey, testing, sql, other })
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length ? 1 : 0
}
run().catch((error) => {
  console.error(error)
  process.exitCode = 1
})
