/** A failed login costs the same for every user and for none, whatever hashes the store holds. */
import { describe, expect, it } from 'vitest'
import { createLatchkey } from '../latchkey.js'
import { argon2id } from '../passwords/argon2id.js'
import { bcrypt, bcryptSha256 } from '../passwords/bcrypt.js'
import type { PasswordHasher } from '../passwords/hasher.js'
import { md5 } from '../passwords/md5.js'
import { pbkdf2Sha1, pbkdf2Sha256 } from '../passwords/pbkdf2.js'
import { scrypt } from '../passwords/scrypt.js'
import { memoryStore } from '../stores/memory.js'
import type { UserRecord, UserSource } from '../stores/store.js'
import { randomNumbers } from '../testing/store-contract/support.js'

const SECRET = 'a secret of at least thirty-two characters'
const argon2 = argon2id({ memoryKib: 64, passes: 1 })

const WRITERS = {
  argon2,
  argon2More: argon2id({ memoryKib: 128, passes: 2 }),
  pbkdf2: pbkdf2Sha256({ iterations: 260 }),
  pbkdf2More: pbkdf2Sha256({ iterations: 1000 }),
  pbkdf2Sha1: pbkdf2Sha1({ iterations: 100 }),
  bcrypt: bcrypt({ rounds: 4 }),
  bcryptMore: bcryptSha256({ rounds: 7 }),
  scrypt: scrypt({ cost: 16 }),
  scryptMore: scrypt({ cost: 16, parallelism: 2 }),
  md5: md5(),
}
type WriterName = keyof typeof WRITERS

const PARAMETERS: Readonly<Record<string, RegExp>> = {
  pbkdf2_sha256: /^[^$]*\$(\d+)\$/,
  pbkdf2_sha1: /^[^$]*\$(\d+)\$/,
  argon2: /(m=.*,p=\d+)\$/,
  bcrypt: /\$\$2b\$(\d\d)\$/,
  bcrypt_sha256: /\$\$2b\$(\d\d)\$/,
}

/** What a check costs: the kind of work, and how much of it. */
function costOf(algorithm: string, encoded: string): readonly [kind: string, amount: number] {
  const parameter = PARAMETERS[algorithm]?.exec(encoded)?.[1] ?? ''
  if (algorithm.startsWith('pbkdf2')) return [algorithm, Number(parameter)]
  if (algorithm.startsWith('bcrypt')) return ['bcrypt', 2 ** Number(parameter)]
  if (algorithm === 'scrypt')
    return [
      `scrypt ${encoded
        .split('$')
        .filter((_, at) => [1, 3, 4].includes(at))
        .join()}`,
      1,
    ]
  return [`${algorithm} ${parameter}`, algorithm === 'argon2' ? 1 : 0]
}

/** Hashers that add up what they compute. */
function observed() {
  const work = new Map<string, number>()
  let operations = 0
  const observe = (hasher: PasswordHasher): PasswordHasher => ({
    ...hasher,
    verify(password, encoded) {
      const [kind, amount] = costOf(hasher.algorithm, encoded)
      if (amount > 0) work.set(kind, (work.get(kind) ?? 0) + amount)
      if (amount > 0) operations += 1
      return hasher.verify(password, encoded)
    },
    hash(password) {
      work.set(`hash ${hasher.algorithm}`, 1)
      return hasher.hash(password)
    },
  })
  const ofCall = async (call: () => Promise<unknown>) => {
    work.clear()
    operations = 0
    await call()
    return { operations, work: Object.fromEntries([...work].sort()) }
  }
  const {
    argon2More,
    pbkdf2More,
    bcrypt: raw,
    bcryptMore,
    scrypt: plain,
    pbkdf2Sha1: sha1,
    md5: old,
  } = WRITERS
  const hashers = [argon2More, pbkdf2More, sha1, raw, bcryptMore, plain, old].map(observe)
  return { ofCall, passwords: { preferred: observe(argon2), hashers: hashers.slice(1) } }
}

async function mixOf(names: readonly WriterName[]) {
  const store = memoryStore()
  const { ofCall, passwords } = observed()
  const { login, users } = createLatchkey({ store, secret: SECRET, loginRate: null, passwords })
  const fields = {
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
  }
  for (const name of names) {
    const passwordHash = await WRITERS[name].hash('right')
    await store.users.insert({ ...fields, username: name, passwordHash })
    await store.users.insert({ ...fields, username: `${name} inactive`, passwordHash, isActive: false })
  }
  await store.users.insert({ ...fields, username: 'unusable', passwordHash: '!x' })
  await store.users.insert({ ...fields, username: 'empty', passwordHash: '' })
  await store.users.insert({ ...fields, username: 'unknown format', passwordHash: 'crypt$$abcdefgh' })
  const costOfLogin = (username: string, password = 'wrong') =>
    ofCall(async () => {
      const user = await login.login({ username, password, address: '192.0.2.1' })
      expect(user === null).toBe(password === 'wrong' || username.endsWith('inactive'))
    })
  return { store, users, costOfLogin }
}

const MIXES: ReadonlyArray<readonly [names: readonly WriterName[], work: Readonly<Record<string, number>>]> =
  [
    [[], { 'argon2 m=64,t=1,p=1': 1 }],
    [['argon2'], { 'argon2 m=64,t=1,p=1': 1 }],
    [['md5'], { 'argon2 m=64,t=1,p=1': 1 }],
    [['pbkdf2'], { pbkdf2_sha256: 260 }],
    [['pbkdf2', 'pbkdf2More', 'md5'], { pbkdf2_sha256: 1000 }],
    [['argon2', 'pbkdf2'], { 'argon2 m=64,t=1,p=1': 1, pbkdf2_sha256: 260 }],
    [['argon2', 'argon2More'], { 'argon2 m=64,t=1,p=1': 1, 'argon2 m=128,t=2,p=1': 1 }],
    [['bcrypt', 'bcryptMore'], { bcrypt: 128 }],
    [['scrypt', 'scryptMore'], { 'scrypt 16,8,1': 1, 'scrypt 16,8,2': 1 }],
    [
      ['argon2', 'pbkdf2', 'pbkdf2More', 'pbkdf2Sha1', 'bcrypt', 'bcryptMore', 'scrypt', 'md5'],
      { 'argon2 m=64,t=1,p=1': 1, bcrypt: 128, pbkdf2_sha1: 100, pbkdf2_sha256: 1000, 'scrypt 16,8,1': 1 },
    ],
  ]

describe('the hash work of a failed login', () => {
  it.each(MIXES)('is the same for every user where the store holds %j: %j', async (names, work) => {
    const { costOfLogin } = await mixOf(names)
    const known = names.flatMap((name) => [name, `${name} inactive`])
    for (const username of ['nobody', 'unusable', 'empty', 'unknown format', 'nul\0', ...known])
      expect([username, (await costOfLogin(username)).work]).toEqual([username, work])
    for (const name of names) expect((await costOfLogin(`${name} inactive`, 'right')).work).toEqual(work)
  })

  it('is one operation for each cost, and pads with one more of the same algorithm', async () => {
    const { costOfLogin } = await mixOf(['argon2', 'pbkdf2', 'pbkdf2More', 'bcrypt', 'bcryptMore'])
    expect((await costOfLogin('nobody')).operations).toBe(3)
    expect((await costOfLogin('argon2')).operations).toBe(3)
    expect((await costOfLogin('pbkdf2More')).operations).toBe(3)
    expect((await costOfLogin('pbkdf2')).operations).toBe(4)
    // 2^7 - 2^4 = 2^4 + 2^5 + 2^6.
    expect((await costOfLogin('bcrypt')).operations).toBe(6)
  })

  it('follows the store at once: hashes that come, are upgraded, and go', async () => {
    const { store, users, costOfLogin } = await mixOf(['argon2'])
    const work = async () => (await costOfLogin('nobody')).work
    const argon2Work = { 'argon2 m=64,t=1,p=1': 1 }
    const vitor = await users.create({ username: 'vitor', password: 'right', allowWeakPassword: true })
    await store.users.update(vitor.id, { passwordHash: await WRITERS.pbkdf2.hash('right') })
    expect(await work()).toEqual({ ...argon2Work, pbkdf2_sha256: 260 })
    await costOfLogin('vitor', 'right')
    expect(await work()).toEqual(argon2Work)
    await store.users.update(vitor.id, { passwordHash: await WRITERS.pbkdf2.hash('right') })
    await users.delete(vitor)
    expect(await work()).toEqual(argon2Work)
  })

  it('is not done by a login with the right password', async () => {
    const { costOfLogin } = await mixOf(['argon2', 'pbkdf2', 'bcryptMore'])
    expect((await costOfLogin('argon2', 'right')).work).toEqual({ 'argon2 m=64,t=1,p=1': 1 })
  })

  it('has at most 8 kinds, and one warning where there are more', async () => {
    const lines: string[] = []
    const store = memoryStore()
    const { ofCall, passwords } = observed()
    const { login } = createLatchkey({
      store,
      secret: SECRET,
      loginRate: null,
      passwords: { ...passwords, warn: (line) => lines.push(line) },
    })
    for (let passes = 1; passes <= 10; passes += 1) {
      const passwordHash = argon2id({ memoryKib: 64, passes }).decoy()
      const flags = { isActive: true, isStaff: false, isSuperuser: false }
      const dates = { dateJoined: new Date(0), lastLogin: null }
      await store.users.insert({ username: `user${passes}`, email: '', passwordHash, ...flags, ...dates })
    }
    const fail = () => login.login({ username: 'nobody', password: 'wrong', address: '192.0.2.1' })
    expect((await ofCall(fail)).operations).toBe(8)
    await fail()
    expect(lines).toEqual([expect.stringContaining('more than 8 algorithms and costs')])
  })
})

describe('the hash work of a failed login of an app’s own users', () => {
  const recordOf = (passwordHash: string): UserRecord => ({
    id: 1,
    username: 'vitor',
    email: '',
    isActive: true,
    isStaff: false,
    isSuperuser: false,
    dateJoined: new Date(0),
    lastLogin: null,
    passwordHash,
    passwordVersion: 0,
  })
  const loginWith = (source: UserSource) => {
    const { ofCall, passwords } = observed()
    const { login } = createLatchkey({
      store: memoryStore({ externalUsers: true }),
      secret: SECRET,
      loginRate: null,
      users: source,
      passwords,
    })
    return async (username: string) =>
      (await ofCall(() => login.login({ username, password: 'wrong', address: '192.0.2.1' }))).work
  }

  it('is that of the samples that the source gives', async () => {
    const hash = await WRITERS.pbkdf2.hash('right')
    const record = recordOf(hash)
    const work = loginWith({
      findById: async () => record,
      findByUsername: async (name) => (name === record.username ? record : null),
      samplePasswordHashes: async () => [hash, await WRITERS.scrypt.hash('x')],
    })
    const all = { pbkdf2_sha256: 260, 'scrypt 16,8,1': 1 }
    expect([await work('nobody'), await work('vitor')]).toEqual([all, all])
  })

  it('is that of the hashes seen so far where the source gives no samples', async () => {
    const record = recordOf(await WRITERS.pbkdf2.hash('right'))
    const work = loginWith({
      findById: async () => record,
      findByUsername: async (name) => (name === record.username ? record : null),
    })
    const all = { 'argon2 m=64,t=1,p=1': 1, pbkdf2_sha256: 260 }
    expect(await work('vitor')).toEqual(all)
    expect(await work('nobody')).toEqual(all)
  })

  it.each([[undefined], ['pbkdf2'], [[1]], [null]])(
    'samples that are no list of texts are an error: %j',
    async (samples) => {
      const source = {
        findById: async () => null,
        findByUsername: async () => null,
        samplePasswordHashes: () => samples,
      }
      const work = loginWith(source as unknown as UserSource)
      await expect(work('nobody')).rejects.toMatchObject({ code: 'internal_error' })
    },
  )
})

describe('the time of a failed login', () => {
  const PAIRS = 2000

  /** The probability that a value of the first is above one of the second: 0.5 where nothing tells them apart. */
  function superiority(first: readonly number[], second: readonly number[]): number {
    const ordered = [
      ...first.map((value) => ({ value, isFirst: true })),
      ...second.map((value) => ({ value, isFirst: false })),
    ]
    ordered.sort((a, b) => a.value - b.value)
    let below = 0
    let sum = 0
    for (let at = 0; at < ordered.length; ) {
      let end = at
      while (ordered[end]?.value === ordered[at]?.value && end < ordered.length) end += 1
      const tied = ordered.slice(at, end)
      const tiedSecond = tied.filter(({ isFirst }) => !isFirst).length
      sum += (tied.length - tiedSecond) * (below + tiedSecond / 2)
      below += tiedSecond
      at = end
    }
    return sum / (first.length * second.length)
  }

  it('is the same for an unknown user as for wrong, inactive and unusable ones, in processor time', async () => {
    const store = memoryStore()
    const { login } = createLatchkey({
      store,
      secret: SECRET,
      loginRate: null,
      passwords: { preferred: argon2 },
    })
    const flags = { email: '', isActive: true, isStaff: false, isSuperuser: false }
    const more = { dateJoined: new Date(0), lastLogin: null }
    const hashes = [
      ['imported', await pbkdf2Sha256({ iterations: 400 }).hash('right')],
      ['newer', await argon2.hash('right')],
      ['unusable', '!x'],
    ] as const
    for (const [username, passwordHash] of hashes)
      await store.users.insert({ username, passwordHash, ...flags, ...more })
    await store.users.insert({
      username: 'inactive',
      passwordHash: hashes[0][1],
      ...flags,
      ...more,
      isActive: false,
    })
    const processorUs = async (username: string) => {
      const before = process.cpuUsage()
      await login.login({ username, password: 'wrong', address: '192.0.2.1' })
      const { user, system } = process.cpuUsage(before)
      return user + system
    }
    const known = ['imported', 'newer', 'unusable', 'inactive'] as const
    /** Of each known user: superiority over the unknown one. Every round asks for all, in an order of its own. */
    const measure = async (rounds: number) => {
      const timesUs = new Map<string, number[]>(['nobodyis', ...known].map((name) => [name, []]))
      const random = randomNumbers(rounds)
      for (let round = 0; round < rounds; round += 1) {
        const names = [...timesUs.keys()].map((name) => ({ name, rank: random() }))
        for (const { name } of names.sort((a, b) => a.rank - b.rank))
          timesUs.get(name)?.push(await processorUs(name))
      }
      return known.map((name) => ({
        name,
        value: superiority(timesUs.get(name) ?? [], timesUs.get('nobodyis') ?? []),
      }))
    }
    const unequal = (measured: Awaited<ReturnType<typeof measure>>) =>
      measured.filter(({ value }) => !(value > 0.45 && value < 0.55))
    await measure(200)
    const first = unequal(await measure(PAIRS))
    expect(first.length === 0 ? [] : unequal(await measure(PAIRS))).toEqual([])
  }, 120_000)

  it('is told apart by that measure where one side does more', () => {
    const less = Array.from({ length: 200 }, (_, index) => index)
    expect(superiority(less, less)).toBe(0.5)
    expect(
      superiority(
        less.map((value) => value + 20),
        less,
      ),
    ).toBeGreaterThan(0.55)
    expect(superiority([1, 1], [1, 0])).toBe(0.75)
  })
})
