/**
 * The cost of a stored hash as SQL: its algorithm and parameters without salt and digest, or NULL for a password that is
 * unusable, or stored without any `$`. An index has it (migration 0008), so look-ups must use exactly this text.
 * Never edited once released.
 */

/** @param part SQL for one of the parts of `password_hash` between its `$`, counted from 0 */
const hashCost = (part: (index: number) => string, concat: (...texts: string[]) => string) => `
  CASE
    WHEN ${part(0)} LIKE '!%' THEN NULL
    WHEN ${part(0)} IN ('pbkdf2_sha256', 'pbkdf2_sha1') THEN ${concat(part(0), part(1))}
    WHEN ${part(0)} = 'argon2' THEN ${concat(part(0), part(1), part(3))}
    WHEN ${part(0)} IN ('bcrypt', 'bcrypt_sha256') THEN ${concat(part(0), part(3))}
    WHEN ${part(0)} = 'scrypt' THEN ${concat(part(0), part(1), part(3), part(4))}
    WHEN ${part(0)} = '' AND ${part(1)} LIKE 'argon2%' THEN ${concat(part(0), part(1), part(3))}
    WHEN ${part(0)} = '' THEN ${concat(part(0), part(1), part(2))}
    ELSE ${part(0)}
  END`

const joined = (...texts: readonly string[]) => texts.join(` || '$' || `)

/** SQLite has no function that splits text, but arrays of JSON. A hash with a quote or a backslash is no valid one. */
const JSON_PARTS = `'["' || replace(password_hash, '$', '","') || '"]'`

export const HASH_COST_SQLITE = `
  CASE WHEN instr(password_hash, '$') > 0 AND json_valid(${JSON_PARTS}) THEN substr(${hashCost(
    (index) => `json_extract(${JSON_PARTS}, '$[${index}]')`,
    (...texts) => joined(...texts.map((text) => `coalesce(${text}, '')`)),
  )}, 1, 100) END`

export const HASH_COST_POSTGRES = `
  CASE WHEN strpos(password_hash, '$') > 0 THEN left(${hashCost(
    (index) => `split_part(password_hash, '$', ${index + 1})`,
    joined,
  )}, 100) COLLATE "C" END`
