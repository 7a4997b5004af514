/** Passwords as the services use them: choice of hasher, upgrades, decoys, order of events, timing. */
import { describe, expect, test, vi } from 'vitest'
import { argon2id } from './argon2id.js'
import { bcrypt } from './bcrypt.js'
import type { PasswordHasher } from './hasher.js'
import { md5, sha1, unsaltedMd5 } from './md5.js'
import { createPasswords } from './passwords.js'
import { pbkdf2Sha256 } from './pbkdf2.js'
import { scrypt } from './scrypt.js'

const cheap = () => argon2id({ memoryKib: 64, passes: 1 })

/** Notes every piece of hash work, and does it. */
function observed(hasher: PasswordHasher, log: string[]): PasswordHasher {
  return {
    ...hasher,
    hash: (password) => {
      log.push(`hash ${hasher.algorithm}`)
      return hasher.hash(password)
    },
    verify: (password, encoded) => {
      log.push(`verify ${hasher.algorithm}`)
      return hasher.verify(password, encoded)
    },
  }
}

const UNVERIFIABLE = [
  '',
  '!',
  '!bTQm25BkrgLZGwM45gqB8d3PJPwhsGvSjZFs4JwX',
  '!5ebe2294ecd0e0f08eab7690d2a6ee69',
  'secret',
  'plain$secret',
  'argon2$argon2id$v=19$m=64,t=1,p=1$nonsense',
  'argon2$argon2id$v=19$m=9999999,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  'pbkdf2_sha256$',
  'crypt$$ab1Ub.b4AAAAA',
]

describe('verify', () => {
  test('with the defaults: a new hash is argon2id, fits, and stays', async () => {
    const passwords = createPasswords()
    const encoded = await passwords.hash('secret')
    expect(encoded).toMatch(/^argon2\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(await passwords.verify('secret', encoded)).toEqual({ ok: true })
    expect(await passwords.verify('Secret', encoded)).toEqual({ ok: false })
  })

  test.each(UNVERIFIABLE)('%j is never right, and costs one decoy', async (encoded) => {
    const log: string[] = []
    const passwords = createPasswords({ preferred: observed(cheap(), log) })
    for (const password of ['secret', '', encoded]) {
      log.length = 0
      expect(await passwords.verify(password, encoded)).toEqual({ ok: false })
      expect(log).toEqual(['verify argon2'])
    }
  })

  test('an unknown user costs what a wrong password costs', async () => {
    const log: string[] = []
    const passwords = createPasswords({ preferred: observed(cheap(), log) })
    const encoded = await passwords.hash('secret')
    log.length = 0
    expect(await passwords.verify('wrong', encoded)).toEqual({ ok: false })
    expect(log).toEqual(['verify argon2'])
    log.length = 0
    expect(await passwords.verifyDecoy('secret')).toEqual({ ok: false })
    expect(log).toEqual(['verify argon2'])
  })

  test('an unusable string is different each time, and fits no password', async () => {
    const passwords = createPasswords({ preferred: cheap() })
    const unusable = passwords.unusable()
    expect(unusable).toMatch(/^![A-Za-z0-9]{40}$/)
    expect(passwords.unusable()).not.toBe(unusable)
    expect(await passwords.verify(unusable, unusable)).toEqual({ ok: false })
  })

  test('`!` shuts out, even a hasher that would take anything', async () => {
    const credulous: PasswordHasher = { ...md5(), recognises: () => true, verify: async () => true }
    const passwords = createPasswords({ preferred: cheap(), hashers: [credulous] })
    expect((await passwords.verify('secret', 'x')).ok).toBe(true)
    expect(await passwords.verify('secret', '!x')).toEqual({ ok: false })
  })

  test('a format that is not among the hashers is never right', async () => {
    const passwords = createPasswords({ preferred: cheap(), hashers: [sha1()] })
    expect((await passwords.verify('secret', await sha1().hash('secret'))).ok).toBe(true)
    expect(await passwords.verify('secret', await md5().hash('secret'))).toEqual({ ok: false })
  })

  test('a missing package for a format is an error of ours, not a wrong password', async () => {
    const load = () => Promise.reject(new Error('no such package'))
    const encoded = await bcrypt({ rounds: 4 }).hash('secret')
    const passwords = createPasswords({ preferred: cheap(), hashers: [bcrypt({ load })] })
    await expect(passwords.verify('secret', encoded)).rejects.toMatchObject({ code: 'internal_error' })
    expect(passwords.queue).toMatchObject({ running: 0, waiting: 0 })
  })
})

describe('upgrade', () => {
  const preferred = argon2id({ memoryKib: 128, passes: 2 })
  const passwords = createPasswords({ preferred })

  test.each([
    ['fewer passes', argon2id({ memoryKib: 128, passes: 1 })],
    ['less memory', argon2id({ memoryKib: 64, passes: 2 })],
    ['another algorithm, pbkdf2', pbkdf2Sha256({ iterations: 10 })],
    ['another algorithm, scrypt', scrypt({ cost: 16 })],
    ['another algorithm, bcrypt', bcrypt({ rounds: 4 })],
    ['another algorithm, md5', md5()],
  ])('%s: the right password brings a new hash', async (_name, older) => {
    const { ok, upgraded } = await passwords.verify('secret', await older.hash('secret'))
    expect(ok).toBe(true)
    expect(upgraded).toContain('argon2$argon2id$v=19$m=128,t=2,p=1$')
    expect(await passwords.verify('secret', upgraded ?? '')).toEqual({ ok: true })
  })

  test('an unsalted digest is upgraded', async () => {
    const { upgraded } = await passwords.verify('secret', '5ebe2294ecd0e0f08eab7690d2a6ee69')
    expect(await preferred.verify('secret', upgraded ?? '')).toBe(true)
  })

  test.each([
    ['the same cost', preferred],
    ['more passes', argon2id({ memoryKib: 128, passes: 3 })],
    ['more memory', argon2id({ memoryKib: 256, passes: 2 })],
    ['more passes, less memory', argon2id({ memoryKib: 64, passes: 3 })],
    ['fewer passes, more memory', argon2id({ memoryKib: 256, passes: 1 })],
    ['more lanes', argon2id({ memoryKib: 128, passes: 2, parallelism: 4 })],
  ])('%s: a hash of the preferred algorithm is left alone', async (_name, other) => {
    expect(await passwords.verify('secret', await other.hash('secret'))).toEqual({ ok: true })
  })

  test('beside Django: its hash of more iterations is not lowered', async () => {
    const beside = createPasswords({ preferred: pbkdf2Sha256({ iterations: 100 }) })
    const encoded = (iterations: number) => pbkdf2Sha256({ iterations }).hash('secret')
    expect(await beside.verify('secret', await encoded(120))).toEqual({ ok: true })
    expect(await beside.verify('secret', await encoded(100))).toEqual({ ok: true })
    const { upgraded } = await beside.verify('secret', await encoded(80))
    expect(upgraded).toMatch(/^pbkdf2_sha256\$100\$/)
  })

  test('upgrade: false verifies only', async () => {
    const reading = createPasswords({ preferred, upgrade: false })
    expect(await reading.verify('secret', await md5().hash('secret'))).toEqual({ ok: true })
  })

  test('a wrong password changes nothing, and a cheap old hash is not told by a quick answer', async () => {
    const log: string[] = []
    const watched = createPasswords({ preferred: observed(cheap(), log), hashers: [md5()] })
    expect(await watched.verify('wrong', await md5().hash('secret'))).toEqual({ ok: false })
    expect(log).toEqual(['verify argon2'])
  })

  test('a right password is right although the new format cannot hold it', async () => {
    const long = 'x'.repeat(80)
    const toBcrypt = createPasswords({ preferred: bcrypt({ rounds: 4 }) })
    expect(await toBcrypt.verify(long, await md5().hash(long))).toEqual({ ok: true })
  })

  test('happens in the slot of the check', async () => {
    const seen: number[] = []
    const counted: PasswordHasher = {
      ...preferred,
      hash: async (password) => {
        seen.push(queued.queue.running)
        return preferred.hash(password)
      },
    }
    const queued = createPasswords({ preferred: counted, concurrency: 1, maxWaiting: 0 })
    expect((await queued.verify('secret', await md5().hash('secret'))).upgraded).toBeDefined()
    expect(seen).toEqual([1])
  })
})

describe('beforeCheck', () => {
  test.each(['verify', 'verifyDecoy'] as const)(
    '%s awaits it in the slot, before the work',
    async (method) => {
      const log: string[] = []
      const passwords = createPasswords({ preferred: observed(cheap(), log) })
      const encoded = await cheap().hash('secret')
      const beforeCheck = async () => {
        log.push(`counting, ${passwords.queue.running} running`)
        await Promise.resolve()
        log.push('counted')
      }
      if (method === 'verify') await passwords.verify('secret', 'unknown', { beforeCheck })
      else await passwords.verifyDecoy('secret', { beforeCheck })
      expect(log).toEqual(['counting, 1 running', 'counted', 'verify argon2'])
      log.length = 0
      await passwords.verify('wrong', encoded, { beforeCheck: () => void log.push('counted') })
      expect(log).toEqual(['counted', 'verify argon2'])
    },
  )

  test('its refusal is the answer, nothing is hashed, and the slot is free again', async () => {
    const log: string[] = []
    const passwords = createPasswords({ preferred: observed(cheap(), log), concurrency: 1 })
    const refuse = { beforeCheck: () => Promise.reject(new Error('throttled')) }
    await expect(passwords.verify('secret', 'x', refuse)).rejects.toThrow('throttled')
    await expect(passwords.verifyDecoy('secret', refuse)).rejects.toThrow('throttled')
    expect(log).toEqual([])
    expect(passwords.queue.running).toBe(0)
  })

  test('does not run for somebody whom the queue refuses', async () => {
    const passwords = createPasswords({ preferred: cheap(), concurrency: 1, maxWaiting: 0 })
    const first = passwords.verifyDecoy('secret')
    const beforeCheck = vi.fn()
    await expect(passwords.verifyDecoy('secret', { beforeCheck })).rejects.toMatchObject({ code: 'busy' })
    await first
    expect(beforeCheck).not.toHaveBeenCalled()
  })
})

describe('afterMatch', () => {
  test('is awaited in the slot when the password was right, and then only', async () => {
    const log: string[] = []
    const passwords = createPasswords({ preferred: observed(cheap(), log), concurrency: 1, maxWaiting: 0 })
    const encoded = await passwords.hash('secret')
    const afterMatch = async () => {
      log.push(`matched, ${passwords.queue.running} running`)
      await Promise.resolve()
      log.push('forgotten')
    }
    log.length = 0
    await passwords.verify('secret', encoded, { afterMatch })
    expect(log).toEqual(['verify argon2', 'matched, 1 running', 'forgotten'])
    log.length = 0
    await passwords.verify('wrong', encoded, { afterMatch })
    await passwords.verify('secret', '!', { afterMatch })
    await passwords.verifyDecoy('secret', { afterMatch })
    expect(log).toEqual(['verify argon2', 'verify argon2', 'verify argon2'])
  })

  test('its rejection is that of the call, and the slot is free again', async () => {
    const passwords = createPasswords({ preferred: cheap(), concurrency: 1 })
    const encoded = await passwords.hash('secret')
    const afterMatch = () => Promise.reject(new Error('no store'))
    await expect(passwords.verify('secret', encoded, { afterMatch })).rejects.toThrow('no store')
    expect(passwords.queue.running).toBe(0)
  })
})

describe('one job is ahead', () => {
  /** A hasher that computes when the test says so, and notes how many computed at a time. */
  function held() {
    const state = { now: 0, most: 0, open: () => {} }
    const opened = new Promise<void>((resolve) => {
      state.open = resolve
    })
    const hasher: PasswordHasher = {
      ...unsaltedMd5(),
      verify: async () => {
        state.now += 1
        state.most = Math.max(state.most, state.now)
        await opened
        state.now -= 1
        return true
      },
    }
    return { hasher, state }
  }
  const STORED = '5ebe2294ecd0e0f08eab7690d2a6ee69'

  test('counted while others compute, and computed when they are done', async () => {
    const { hasher, state } = held()
    const passwords = createPasswords({ preferred: hasher, hashers: [], concurrency: 2 })
    let counted = 0
    const beforeCheck = () => {
      counted += 1
    }
    const checks = Array.from({ length: 9 }, () => passwords.verify('secret', STORED, { beforeCheck }))
    // Others are served meanwhile, so these have had all the time they want.
    await cheap().hash('other')
    expect(counted).toBe(3)
    expect(state).toMatchObject({ now: 2, most: 2 })
    state.open()
    await Promise.all(checks)
    expect(counted).toBe(9)
    expect(state).toMatchObject({ now: 0, most: 2 })
  })

  test('never more than `concurrency` compute, of whatever formats', async () => {
    const { hasher, state } = held()
    const passwords = createPasswords({ preferred: cheap(), hashers: [hasher], concurrency: 1 })
    const encoded = await cheap().hash('secret')
    const order: string[] = []
    const first = passwords.verify('secret', STORED).then(() => order.push('md5'))
    const second = passwords.verify('secret', encoded).then(() => order.push('argon2'))
    for (let other = 0; other < 5; other += 1) await cheap().hash('other')
    expect(order).toEqual([])
    state.open()
    await Promise.all([first, second])
    expect(order.sort()).toEqual(['argon2', 'md5'])
  })
})

test('hashing is bounded: a rush gets busy, and the rest are served', async () => {
  const passwords = createPasswords({ preferred: cheap(), concurrency: 2, maxWaiting: 48 })
  const answers = await Promise.allSettled(Array.from({ length: 200 }, () => passwords.hash('secret')))
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(50)
  const refused = answers.filter((answer) => answer.status === 'rejected')
  expect(refused.every(({ reason }) => reason.code === 'busy' && reason.retryAfterSeconds === 10)).toBe(true)
})

describe('hash', () => {
  test('holds 4096 characters to the last one', async () => {
    const passwords = createPasswords({ preferred: cheap() })
    const encoded = await passwords.hash('🔑'.repeat(4096))
    expect((await passwords.verify('🔑'.repeat(4096), encoded)).ok).toBe(true)
    expect((await passwords.verify(`${'🔑'.repeat(4095)}x`, encoded)).ok).toBe(false)
    expect((await passwords.verify('🔑'.repeat(4095), encoded)).ok).toBe(false)
  })

  test('refuses more, saying so', async () => {
    await expect(createPasswords({ preferred: cheap() }).hash('x'.repeat(4097))).rejects.toMatchObject({
      code: 'invalid',
      fields: { password: ['This password is too long. It must contain at most 4096 characters.'] },
    })
  })
})

describe('where argon2 is missing', () => {
  const missing = () => argon2id({ engines: [async () => null] })

  test('new hashes are scrypt, and the operator is told once', async () => {
    const lines: string[] = []
    const passwords = createPasswords({ preferred: missing(), warn: (line) => lines.push(line) })
    const [encoded] = await Promise.all([passwords.hash('secret'), passwords.verifyDecoy('secret')])
    expect(encoded).toMatch(/^scrypt\$131072\$[A-Za-z0-9]{22}\$8\$1\$/)
    expect(await passwords.verify('secret', encoded)).toEqual({ ok: true })
    expect((await passwords.verify('secret', await md5().hash('secret'))).upgraded).toMatch(/^scrypt\$/)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/argon2 is not available.*scrypt.*@node-rs\/argon2/)
    expect(lines[0]).not.toContain('\n')
  })

  test('an argon2 hash is an error of ours, not a wrong password', async () => {
    const passwords = createPasswords({ preferred: missing(), warn: () => {} })
    const encoded = await cheap().hash('secret')
    await expect(passwords.verify('secret', encoded)).rejects.toMatchObject({ code: 'internal_error' })
  })
})

test('validate reports by the rules given', () => {
  const owner = { username: 'alice', email: 'alice@example.com' }
  expect(createPasswords({ preferred: cheap() }).validate('alice', owner)).toEqual([
    'The password is too similar to the username.',
    'This password is too short. It must contain at least 8 characters.',
    'This password is too common.',
  ])
  const noXs = (password: string) => (password.includes('x') ? 'No x, please.' : null)
  const strict = createPasswords({ preferred: cheap(), validators: [noXs] })
  expect(strict.validate('x', owner)).toEqual(['No x, please.'])
  expect(strict.validate('alice', owner)).toEqual([])
})

test('bad options are refused by name', () => {
  expect(() => createPasswords({ concurrency: 0 })).toThrow(/^concurrency must be/)
})

test('an unknown user and a wrong password take the same time', async () => {
  const passwords = createPasswords({
    preferred: argon2id({ memoryKib: 4096, passes: 2 }),
    hashers: [unsaltedMd5()],
  })
  const encoded = await passwords.hash('secret')
  const paths = {
    wrong: () => passwords.verify('wrong', encoded),
    unknown: () => passwords.verifyDecoy('wrong'),
    unusable: () => passwords.verify('wrong', '!x'),
    cheapOldHash: () => passwords.verify('wrong', '5ebe2294ecd0e0f08eab7690d2a6ee69'),
  }
  const timesMs = new Map<string, number[]>(Object.keys(paths).map((name) => [name, []]))
  // Interleaved, so that a busy machine slows all alike.
  for (let round = 0; round < 100; round += 1) {
    for (const [name, path] of Object.entries(paths)) {
      const startedMs = performance.now()
      await path()
      timesMs.get(name)?.push(performance.now() - startedMs)
    }
  }
  const median = (name: string) => timesMs.get(name)!.sort((a, b) => a - b)[50]!
  for (const name of ['unknown', 'unusable', 'cheapOldHash']) {
    expect(median(name) / median('wrong')).toBeGreaterThan(0.75)
    expect(median(name) / median('wrong')).toBeLessThan(1.25)
  }
})
