/** One spelling for names that a user source may take for one name: what failed logins for unknown users are counted by. */

/**
 * The name in compatibility form, without case, accents and surrounding space: at least as coarse as a database column
 * that ignores case (`citext`, `lower()`), width (NFKC), accents or trailing blanks (collations of MySQL).
 */
export function foldedName(username: string): string {
  return username
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
    .trim()
}
