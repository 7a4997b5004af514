import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SECRET_PREFIX } from './keyring.js'
import { secretWeakness } from './secret-weakness.js'

describe('a secret', () => {
  it('that is a placeholder, words, a sequence or a repetition is named, and never repeated', () => {
    const weak: readonly string[] = [
      'change-me-change-me-change-me-change-me',
      'change-me-to-at-least-32-random-characters',
      'CHANGE_ME_8f14e45fceea167a5a36dedd4bea2543',
      'changeme-8f14e45fceea167a5a36dedd4bea2543',
      'changeme'.padEnd(40, 'x'),
      'ChangeThisBeforeYouDeploy-1234567890-abc',
      'replace-with-a-long-random-string-please',
      'secret-8f14e45fceea167a5a36dedd4bea2543aa',
      'SECRET_KEY_8f14e45fceea167a5a36dedd4bea2543',
      'django-insecure-#k$0s1v8c!q2w@e9r%t5y^u3i&o7p*a4',
      'your-secret-here-your-secret-here-your-secret',
      'supersecretsupersecretsupersecretsupersecret1',
      'a secret of at least thirty-two characters',
      'the secret of a database that lasts for one test',
      'correct horse battery staple tower',
      'correct-horse-battery-staple-tower-window',
      'abcdefghijklmnopqrstuvwxyz012345',
      '0123456789012345678901234567890123456789',
      'zyxwvutsrqponmlkjihgfedcba9876543210',
      'qwertyuiopasdfghjklzxcvbnm1234567890',
      'a'.repeat(64),
      `${'a'.repeat(63)}b`,
      'ab'.repeat(32),
      '0123456789abcdef'.repeat(4),
      '8f14e45fceea167a'.repeat(3),
      ' '.repeat(40),
      '-'.repeat(40),
      `${SECRET_PREFIX}${'0'.repeat(64)}`,
      `${SECRET_PREFIX}${'0123456789abcdef'.repeat(4)}`,
    ]
    for (const secret of weak) {
      expect(secretWeakness(secret), secret).not.toBeNull()
      expect(secretWeakness(secret)).not.toContain(secret.slice(0, 8))
    }
  })

  it('that is random is not, in any of its usual spellings', () => {
    for (let round = 0; round < 300; round += 1) {
      const bytes = randomBytes(32)
      const spellings = [
        bytes.toString('hex'),
        bytes.toString('base64'),
        bytes.toString('base64url'),
        bytes.subarray(0, 16).toString('hex'),
        SECRET_PREFIX + bytes.toString('hex'),
      ]
      for (const secret of spellings) expect(secretWeakness(secret), secret).toBeNull()
    }
    const diceware = 'stunt aroma hazy fling oxide crumb tidal vixen quilt march'
    expect(secretWeakness(diceware)).toBeNull()
    expect(secretWeakness('0f1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef')).toBeNull()
  })
})
