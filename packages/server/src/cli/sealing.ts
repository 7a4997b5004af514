/** What is wrong between the secrets at hand and the keys of the store, in one line. `check`, `serve` and `secret` ask. */
import type { Latchkey, SealingState } from 'latchkey'

/** Null: every record of the store can be opened, and new ones can be sealed. */
export async function sealingTrouble(latchkey: Latchkey): Promise<string | null> {
  return troubleOf(await latchkey.sealing.state())
}

function troubleOf({ held, admitted, missing, maySeal }: SealingState): string | null {
  const ours = `the server's secrets are those of ${held.join(', ')}`
  if (!maySeal) return `the records of the store are sealed under key ${admitted.join(', ')}, and ${ours}`
  if (missing.length === 0) return null
  return `records of the store may be sealed under key ${missing.join(', ')}, and ${ours}`
}
