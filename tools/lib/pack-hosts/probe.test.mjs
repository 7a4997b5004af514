/** The probe as a test of an app: runs under Jest and under Vitest, whose globals it uses. */
import * as sql from '@latchkey/sql'
import * as latchkey from 'latchkey'
import * as testing from 'latchkey/testing'
import { probe } from './probe.mjs'

test('holds what it promises', async () => {
  expect(await probe({ latchkey, testing, sql })).toEqual([])
}, 60_000)
