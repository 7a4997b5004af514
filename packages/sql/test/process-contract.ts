/** What several processes on one database promise, whatever engine it is: run by the test file of each. */
import { createLatchkey, signingKey } from 'latchkey'
import { beforeAll, describe, expect, it } from 'vitest'
import type { PostgresStore, SqliteStore } from '../src/index.js'
import { build, startChild } from './child.js'
import { insertToken, insertUser, newToken } from './samples.js'

export interface Engine {
  /** An empty database, as `open` of children/support.mjs takes it. */
  newPlace(): string | Promise<string>
  /** Whether it has its tables; else it does not exist yet. */
  readonly isMigrated?: boolean
  open(place: string, options?: { readonly migrate?: boolean }): SqliteStore | PostgresStore
  /** Looks for damage; throws when there is any. */
  check?(place: string): void
}

/** Starts the children, lets them go at the same moment and returns the last line of each. */
export async function race(
  script: string,
  argsOfEach: ReadonlyArray<readonly (string | number)[]>,
): Promise<unknown[]> {
  const children = argsOfEach.map((args) => startChild(script, args))
  for (const line of await Promise.all(children.map((child) => child.nextLine()))) expect(line).toBe('ready')
  for (const child of children) child.process.stdin.write('go\n')
  for (const code of await Promise.all(children.map((child) => child.ended))) expect(code).toBe(0)
  return children.map((child) => JSON.parse(child.lines.at(-1) ?? ''))
}

export function testProcesses(name: string, { newPlace, isMigrated, open, check }: Engine): void {
  beforeAll(build)

  describe(`several processes on ${name}`, () => {
    it('refresh one JWT family: 8 parallel callers, 100 rounds, one successor each', async () => {
      const place = await newPlace()
      const store = open(place)
      const { id } = await insertUser(store)
      const latchkey = createLatchkey({
        store,
        secret: 'a secret of at least thirty-two characters',
        jwt: {
          signingKey: signingKey({ algorithm: 'HS256', key: 'a signing key of at least thirty-two bytes' }),
        },
      })
      const user = await latchkey.users.get(id)
      if (user === null || latchkey.jwts === null) throw new Error('no user')
      let { refresh } = await latchkey.jwts.issuePair(user)
      const children = [startChild('refresh-jwt', [place]), startChild('refresh-jwt', [place])]
      for (const line of await Promise.all(children.map((child) => child.nextLine())))
        expect(line).toBe('ready')
      for (let round = 0; round < 100; round += 1) {
        const answers = children.map((child) => child.nextLine())
        for (const child of children) child.process.stdin.write(`${refresh}\n`)
        const successors = (await Promise.all(answers)).flatMap((line) => JSON.parse(line) as string[])
        expect(successors).toHaveLength(8)
        expect(new Set(successors).size).toBe(1)
        const [next = ''] = successors
        expect(next.split('.')).toHaveLength(3)
        expect(next).not.toBe(refresh)
        refresh = next
      }
      for (const child of children) child.process.stdin.write('end\n')
      for (const code of await Promise.all(children.map((child) => child.ended))) expect(code).toBe(0)
      await store.close()
    })

    it('create one token for 2 x 50 parallel logins of one user', async () => {
      const place = await newPlace()
      const store = open(place)
      await insertUser(store)
      const outcomes = await race('insert-or-get', [
        [place, 0],
        [place, 1000],
      ])
      const [token, ...others] = await store.tokens.list({})
      expect(others).toEqual([])
      expect(outcomes).toHaveLength(2)
      expect(
        outcomes.reduce<number>((sum, outcome) => sum + (outcome as { created: number }).created, 0),
      ).toBe(1)
      for (const outcome of outcomes) expect(outcome).toMatchObject({ ids: [token?.id] })
      await store.close()
    })

    it('give 10 tokens to 2 x 50 parallel logins of a user who may have 10', async () => {
      const place = await newPlace()
      const store = open(place)
      await insertUser(store)
      const outcomes = await race('insert-limited', [
        [place, 0],
        [place, 1000],
      ])
      expect(outcomes.reduce<number>((sum, created) => sum + Number(created), 0)).toBe(10)
      expect(await store.tokens.list({})).toHaveLength(10)
      await store.close()
    })

    it('renew and revoke one token at the same time: it is gone, and nobody fails', async () => {
      const place = await newPlace()
      const store = open(place)
      await insertUser(store)
      const tokens = []
      for (let number = 0; number < 200; number += 1) {
        tokens.push(await insertToken(store, newToken(1, number, { expiresAt: new Date(5000) })))
      }
      const [renewed, deleted] = await race('renew-or-delete', [
        [place, 'renew'],
        [place, 'delete'],
      ])
      expect(deleted).toBe(200)
      expect(renewed).toBeLessThanOrEqual(200)
      expect(await store.tokens.list({})).toEqual([])
      await store.close()
    })

    it('never allow more than the limit of a throttle together', async () => {
      const place = await newPlace()
      await open(place).migrate()
      const allowedMs = ((await race('hit', [[place], [place]])) as number[][]).flat()
      expect(allowedMs.length).toBeGreaterThan(5)
      for (const startMs of allowedMs) {
        expect(allowedMs.filter((ms) => ms >= startMs && ms < startMs + 1000).length).toBeLessThanOrEqual(5)
      }
    })

    it('lose nothing of what they count in batches, in whatever order the keys come', async () => {
      const place = await newPlace()
      const store = open(place)
      await store.migrate()
      const told = (await race('merge', [[place], [place]])) as number[]
      const limit = { maxCount: 10_000, periodSeconds: 60 }
      const batch = ['a', 'b', 'c'].map((key) => ({ key, limit, events: [] }))
      const events = (await store.counters.merge(batch, 1_000_000)).flat()
      const known = events.reduce((sum, { count }) => sum + count, 0)
      expect(known).toBe(told.reduce((sum, count) => sum + count, 0))
      await store.close()
    })

    if (!isMigrated) {
      it('may all open and migrate a new file at the same moment: one does it', async () => {
        for (let round = 0; round < 3; round += 1) {
          const place = await newPlace()
          const applied = await race('migrate', [[place], [place], [place]])
          expect(applied.filter((names) => (names as string[]).length > 0)).toEqual([
            [
              '0001-initial',
              '0002-jwts',
              '0003-personal-tokens',
              '0004-signing-keys',
              '0005-counter-counts',
              '0006-sealing-keys',
              '0007-access-versions',
              '0008-login-addresses',
              '0009-trigger-settings',
            ],
          ])
          const store = open(place, { migrate: false })
          expect(await store.users.list()).toHaveLength(3)
          await store.close()
        }
      })
    }

    it('end by themselves: an open store keeps no process alive', async () => {
      const child = startChild('end', [await newPlace()])
      expect(await child.ended).toBe(0)
      expect(child.lines).toEqual(['done'])
    })
  })

  describe(`kill -9 during a load of writes, ${name}`, () => {
    for (const round of [1, 2, 3, 4, 5]) {
      it(`loses no acknowledged token and revives no revoked one, round ${round}`, async () => {
        const place = await newPlace()
        const before = open(place)
        await insertUser(before)
        await before.close()

        const child = startChild('write-load', [place, 1])
        const enough = 20 + Math.floor(Math.random() * 200)
        while (child.lines.length < enough) await child.nextLine()
        child.process.kill('SIGKILL')
        expect(await child.ended).toBeNull()

        const store = open(place)
        const ids = new Set((await store.tokens.list({})).map((token) => token.id))
        const idsOf = (sign: string) =>
          child.lines.filter((line) => line.startsWith(sign)).map((line) => Number(line.slice(2)))
        const revoked = new Set(idsOf('-'))
        const acknowledged = idsOf('+')
        const last = acknowledged.at(-1)
        // The last one may have been revoked without having been able to say so.
        const kept = acknowledged.filter((id) => !revoked.has(id) && id !== last)
        expect(kept.filter((id) => !ids.has(id))).toEqual([])
        expect([...revoked].filter((id) => ids.has(id))).toEqual([])
        expect(kept.length).toBeGreaterThan(5)
        await store.close()
        check?.(place)
      })
    }
  })
}
