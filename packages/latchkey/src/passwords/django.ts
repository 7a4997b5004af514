/** What Django writes by default, release by release: for a table that Django and Latchkey share. */
import { checkValue, oneOf, required } from '../options.js'
import type { PasswordHasher } from './hasher.js'
import { pbkdf2Sha256 } from './pbkdf2.js'

/** `PBKDF2PasswordHasher.iterations` of each release, from its `django/contrib/auth/hashers.py`. */
const ITERATIONS = Object.freeze({
  '3.2': 260_000,
  '4.0': 320_000,
  '4.1': 390_000,
  '4.2': 600_000,
  '5.0': 720_000,
  '5.1': 870_000,
  '5.2': 1_000_000,
  '6.0': 1_200_000,
})

export type DjangoRelease = keyof typeof ITERATIONS

/**
 * The hasher of a Django with default `PASSWORD_HASHERS`: `pbkdf2_sha256` with the iterations of that release. Give it as
 * `passwords.preferred` where a Django writes the same column, so that neither side rewrites the hashes of the other.
 *
 * @param release the Django beside it, such as `'5.2'`
 * @throws TypeError for a release that is not known: use `pbkdf2Sha256({ iterations })`
 */
export function djangoHasher(release: DjangoRelease): PasswordHasher {
  checkValue('djangoHasher(release)', release, required(oneOf(...Object.keys(ITERATIONS))))
  return pbkdf2Sha256({ iterations: ITERATIONS[release] })
}
