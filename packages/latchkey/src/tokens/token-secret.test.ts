import { format, inspect } from 'node:util'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { TokenSecret } from './token-secret.js'

it('is not printed by any of the usual ways, whatever the secret', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9a-f]{8,40}$/), (text) => {
      const secret = new TokenSecret(text)
      const printed = [
        String(secret),
        `${secret}`,
        'x'.concat(Reflect.apply(String, undefined, [secret])),
        JSON.stringify({ secret }),
        inspect(secret, { depth: 9, showHidden: true }),
        inspect({ nested: [secret] }, { depth: 9 }),
        format('%s %o %O %j', secret, secret, secret, secret),
        new Error(`failed with ${secret}`).stack,
        JSON.stringify(Object.entries(secret)),
        JSON.stringify(structuredClone({ ...secret })),
      ]
      for (const line of printed) expect(line).not.toContain(text)
      expect(secret.reveal()).toBe(text)
    }),
  )
})
