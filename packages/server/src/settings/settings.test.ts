import { describe, expect, it } from 'vitest'
import { type ResolveOptions, resolveSettings } from './resolve-settings.js'
import type { SettingRow } from './setting-kinds.js'
import { SETTING_KEYS, SETTINGS } from './settings.js'
import { SettingsError } from './settings-error.js'

const resolve = (options: Partial<ResolveOptions> = {}) =>
  resolveSettings({ env: {}, flags: {}, cwd: '/srv/app', ...options })

const refusal = (options: Partial<ResolveOptions>): SettingsError => {
  try {
    resolve(options)
  } catch (error) {
    if (error instanceof SettingsError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the settings table', () => {
  const rows = SETTING_KEYS.map((key) => [key, SETTINGS[key]] as const)

  it('has a variable of its own for every row', () => {
    const variables = rows.map(([, { env }]) => env)
    expect(new Set(variables).size).toBe(rows.length)
    for (const variable of variables) expect(variable).toMatch(/^(LATCHKEY_[A-Z_]+|NODE_ENV)$/)
  })

  it('names flags after their keys, so that Commander finds them again', () => {
    for (const [key, { flag }] of rows as ReadonlyArray<readonly [string, SettingRow]>) {
      const kebab = key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
      if (flag !== null) expect([`--${kebab}`, `--no-${kebab}`]).toContain(flag)
    }
  })

  it('keeps secrets off the command line', () => {
    for (const [, row] of rows as ReadonlyArray<readonly [string, SettingRow]>)
      if (row.secret) expect(row.flag).toBeNull()
  })

  it('has defaults that pass its own checks', () => {
    expect(resolve().values).toMatchObject({
      database: '/srv/app/latchkey.sqlite3',
      host: '127.0.0.1',
      port: 8000,
    })
  })
})

describe('resolveSettings', () => {
  const config = { config: { port: 1 }, configFile: '/etc/latchkey/latchkey.config.ts' }

  it('lets the environment win over the config file, and flags over both', () => {
    expect(resolve(config).values.port).toBe(1)
    expect(resolve({ ...config, env: { LATCHKEY_PORT: '2' } }).values.port).toBe(2)
    expect(resolve({ ...config, env: { LATCHKEY_PORT: '2' }, flags: { port: '3' } }).values.port).toBe(3)
  })

  it('says where each value comes from', () => {
    const sourceOf = (options: Partial<ResolveOptions>) => resolve(options).sources.port
    expect(sourceOf({})).toEqual({ from: 'default', name: 'default' })
    expect(sourceOf(config)).toEqual({ from: 'config', name: 'latchkey.config.ts' })
    expect(sourceOf({ env: { LATCHKEY_PORT: '2' } })).toEqual({ from: 'environment', name: 'LATCHKEY_PORT' })
    expect(sourceOf({ flags: { port: '3' } })).toEqual({ from: 'flag', name: '--port' })
  })

  it('takes an empty variable for none', () => {
    expect(resolve({ env: { LATCHKEY_PORT: '', LATCHKEY_SECRET: ' ' } }).values).toMatchObject({ port: 8000 })
    expect(resolve({ env: { LATCHKEY_SECRET: ' ' } }).values.secret).toBeUndefined()
  })

  it('starts relative paths of the config file at its folder, and all others at the current one', () => {
    const database = 'app.sqlite3'
    const inFile = resolve({ config: { database }, configFile: config.configFile })
    expect(inFile.values.database).toBe('/etc/latchkey/app.sqlite3')
    expect(resolve({ env: { LATCHKEY_DATABASE: database } }).values.database).toBe('/srv/app/app.sqlite3')
    expect(resolve({ flags: { database } }).values.database).toBe('/srv/app/app.sqlite3')
  })

  it('takes the address of a PostgreSQL database as it is', () => {
    for (const database of [
      'postgres://app:hunter2@db/app',
      'postgresql:///app?host=/run/postgresql',
      'postgres://app:hunter2@/app?host=/run/postgresql',
    ]) {
      expect(resolve({ env: { LATCHKEY_DATABASE: database } }).values.database).toBe(database)
    }
  })

  it('takes the address of a Redis as it is, and there is none by default', () => {
    expect(resolve().values.redis).toBeUndefined()
    for (const redis of [
      'redis://127.0.0.1',
      'rediss://app:hunter2%21@cache.example:6380/3',
      'redis://[::1]/',
    ]) {
      expect(resolve({ env: { LATCHKEY_REDIS: redis } }).values.redis).toBe(redis)
    }
  })

  it.each([
    ['LATCHKEY_PORT', '80 80'],
    ['LATCHKEY_PORT', '-1'],
    ['LATCHKEY_PORT', '1e3'],
    ['LATCHKEY_PORT', '99999999999999999999'],
    ['LATCHKEY_WORKERS', '0'],
    ['LATCHKEY_WORKERS', 'all'],
    ['LATCHKEY_DEBUG', '2'],
    ['LATCHKEY_LOGIN_RATE', '0/min'],
    ['LATCHKEY_TRUSTED_PROXIES', '10.0.0.0/8,here'],
    ['LATCHKEY_TRUSTED_PROXIES', '::/129'],
    ['LATCHKEY_SECRET', 'x'.repeat(31)],
    ['LATCHKEY_SECRET', `${'x'.repeat(32)},short`],
    ['LATCHKEY_DATABASE', 'mysql://db/app'],
    ['LATCHKEY_DATABASE', 'postgres://['],
    ['LATCHKEY_DATABASE_REPLICA', './replica.sqlite3'],
    ['LATCHKEY_DATABASE', ':memory:'],
    ['LATCHKEY_REDIS', '127.0.0.1:6379'],
    ['LATCHKEY_REDIS', 'http://127.0.0.1:6379'],
    ['LATCHKEY_REDIS', 'REDISS://127.0.0.1'],
    ['LATCHKEY_REDIS', 'redis://['],
    ['LATCHKEY_REDIS', 'redis:///1'],
    ['LATCHKEY_REDIS', 'redis://127.0.0.1/latchkey'],
    ['LATCHKEY_REDIS', 'redis://127.0.0.1/0?enableOfflineQueue=true'],
    ['LATCHKEY_REDIS', 'redis://app:%zz@127.0.0.1'],
  ])('refuses %s=%s by the name of the variable', (name, value) => {
    expect(refusal({ env: { [name]: value } }).message).toMatch(new RegExp(`^${name}: `))
  })

  it('never repeats a secret, or an address that may hold a password', () => {
    expect(refusal({ env: { LATCHKEY_SECRET: 'hunter2' } }).message).not.toContain('hunter2')
    expect(refusal({ env: { LATCHKEY_DATABASE: 'postgres://app:hunter2@[db/' } }).message).not.toContain(
      'hunter2',
    )
    for (const database of ['postgres://app:12#hunter2@db/', 'postgres://app:12/hunter2@db/'])
      expect(refusal({ env: { LATCHKEY_DATABASE: database } }).message).not.toMatch(/12|hunter2/)
    expect(refusal({ env: { LATCHKEY_DATABASE: 'redis://app:hunter2@db/' } }).message).not.toContain(
      'hunter2',
    )
    expect(refusal({ env: { LATCHKEY_REDIS: 'redis://hunter2:hunter2@db/app' } }).message).not.toContain(
      'hunter2',
    )
  })

  it('takes types from a config file at their word, and text for nothing else', () => {
    const of = (values: Record<string, unknown>) => ({ config: values, configFile: '/x/latchkey.config.ts' })
    expect(resolve(of({ loginRate: null, debug: true, trustedProxies: ['::1'] })).values).toMatchObject({
      loginRate: null,
      debug: true,
      trustedProxies: ['::1'],
    })
    expect(refusal(of({ port: '8000' })).message).toMatch(
      /^latchkey\.config\.ts: port: must be a whole number/,
    )
    expect(refusal(of({ debug: 'yes' })).message).toMatch(
      /^latchkey\.config\.ts: debug: must be true or false/,
    )
    expect(refusal(of({ trustedProxies: '::1' })).message).toMatch(/must be a list/)
    expect(refusal(of({ loginRate: 'off' })).message).toMatch(/must look like 10\/min/)
  })

  it('takes a number of workers, or auto', () => {
    expect(resolve().values.workers).toBe(1)
    expect(resolve({ env: { LATCHKEY_WORKERS: '4' } }).values.workers).toBe(4)
    expect(resolve({ flags: { workers: 'auto' } }).values.workers).toBe('auto')
    expect(refusal({ flags: { workers: 'all' } }).message).toBe(
      "--workers: must be a whole number from 1 to 1024, or auto, not 'all'",
    )
  })

  it('splits several secrets, newest first', () => {
    const [newest, older] = ['n'.repeat(32), 'o'.repeat(40)]
    expect(resolve({ env: { LATCHKEY_SECRET: `${newest}, ${older}` } }).values.secret).toEqual([
      newest,
      older,
    ])
  })
})
