import type { Change, Store, UserId } from 'latchkey'
import { testStore } from 'latchkey/testing'
import { Client, Pool } from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { emptySchema, findPostgres, newSchema, query } from '../../test/postgres-server.js'
import { digestOf, insertToken, insertUser, newToken } from '../../test/samples.js'
import { transactionPooler } from '../../test/transaction-pooler.js'
import { type PostgresStore, postgres } from './postgres.js'

const server = await findPostgres()
/** On a busy machine. */
const PATIENCE = { timeout: 30_000 }

describe('partitionTokens({ partitions })', () => {
  it('refuses what is no number of partitions with a TypeError, before it connects', async () => {
    const store = postgres('postgres://127.0.0.1:1/nowhere')
    for (const partitions of [0, 1, 257, 2.5, Number.NaN])
      await expect(store.partitionTokens({ partitions })).rejects.toThrow(
        new TypeError('partitionTokens({ partitions }) must be a whole number from 2 to 256'),
      )
  })
})

if (server !== null) {
  const { url } = server
  const schema = newSchema(server)
  const partitioned = postgres(url, { schema })
  await partitioned.partitionTokens({ partitions: 8 })
  await partitioned.close()
  const empty = async () => {
    await emptySchema(server, schema)
    return postgres(url, { schema })
  }

  testStore('postgres(url) with partitions', empty, { describe, it })

  describe('partitionTokens({ partitions })', () => {
    it('keeps tokens, uses, ids, rights and what was added by hand, and so it does with another number', async () => {
      const other = newSchema(server)
      const store = postgres(url, { schema: other })
      const [user, gone] = [await insertUser(store), await insertUser(store, 'gone')]
      await query(url, `CREATE ROLE ${other} NOLOGIN`)
      await query(url, `GRANT SELECT, UPDATE ON ${other}.tokens TO ${other}`)
      await query(url, `CREATE INDEX by_hand ON ${other}.tokens (name) WHERE name <> ''`)
      await query(url, `ALTER TABLE ${other}.tokens ADD COLUMN later text NOT NULL DEFAULT 'x'`)
      for (let number = 0; number < 50; number += 1) {
        const fields = {
          name: `${number}`.repeat(number * 30),
          scopes: ['a'],
          sealed: digestOf(7),
          hint: 'h',
        }
        const { id, digest } = await insertToken(store, newToken(user.id, number, fields))
        await store.tokens.recordUses([
          { tokenId: id, digest, count: 2, lastUsedAt: new Date(20), lastUsedAddress: '::1' },
        ])
        if (number % 5 === 0) await rotate(store, id, number, 100 + number)
      }
      const one = { policy: 'authtoken', onePerUser: true }
      const only = await insertToken(store, newToken(user.id, 50, one))
      await insertToken(store, newToken(gone.id, 51))
      const all = async () => {
        const tokens = await store.tokens.list({})
        const found = await Promise.all(
          tokens.flatMap(({ digest, previous }) => [
            store.tokens.findByDigest(digest),
            previous && store.tokens.findByDigest(previous.digest),
          ]),
        )
        return { tokens, found, uses: await store.tokens.listUses(tokens.map(({ id }) => id)) }
      }
      const before = await all()
      expect(before.found.filter(Boolean)).toHaveLength(62)
      let nextId = 53
      for (const [had, partitions] of [
        [1, 4],
        [4, 6],
      ] as const) {
        expect(await store.partitionTokens({ partitions })).toEqual({ before: had, partitions, copied: 52 })
        expect(await store.partitionTokens({ partitions })).toEqual({
          before: partitions,
          partitions,
          copied: 0,
        })
        expect(await all()).toEqual(before)
        const { id } = await insertToken(store, newToken(user.id, 1000))
        expect(id).toBe(nextId)
        nextId += 1
        await store.tokens.delete(id)
        expect(await store.tokens.insertOrGet(newToken(user.id, 1, one))).toMatchObject({ token: only })
        const rows = await query(
          url,
          `SELECT has_table_privilege($1, $2, 'SELECT, UPDATE') AS may, has_table_privilege($1, $2, 'DELETE') AS may_delete,
             (SELECT count(*)::int FROM pg_indexes WHERE schemaname = $1 AND indexdef LIKE '%by_hand%') AS indexes,
             (SELECT count(*)::int FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'tokens_%of%') AS parts,
             (SELECT count(*)::int FROM ${other}.tokens WHERE later = 'x') AS later`,
          [other, `${other}.tokens`],
        )
        expect(rows).toEqual([{ may: true, may_delete: false, indexes: 1, parts: partitions, later: 52 }])
      }
      expect(await store.users.delete(gone.id)).toBe(true)
      expect(await store.tokens.list({})).toHaveLength(51)
      await store.close()
      await query(url, `DROP OWNED BY ${other}`)
      await query(url, `DROP ROLE ${other}`)
    })

    it('is done under running nodes, which go on with what they had prepared', async () => {
      const place = { schema: newSchema(server) }
      const [node, other] = [postgres(url, place), postgres(url, place)]
      const user = await insertUser(node)
      const { id } = await insertToken(node, newToken(user.id, 1))
      await rotate(node, id, 1, 2)
      const heard: Change[] = []
      node.changes.subscribe((change) => heard.push(change))
      const found = (store: Store) =>
        Promise.all([1, 2].map((number) => store.tokens.findByDigest(digestOf(number))))
      const before = await found(node)
      for (const partitions of [3, 5]) {
        await Promise.all([other.partitionTokens({ partitions }), found(node), found(node)])
        expect(await found(node)).toEqual(before)
        expect(await found(other)).toEqual(before)
        await insertToken(node, newToken(user.id, 10 + partitions))
        heard.length = 0
        expect(await other.tokens.update(id, { name: '' })).toBe(true)
        await vi.waitFor(() => expect(heard).toContainEqual({ kind: 'token', digest: digestOf(2) }), PATIENCE)
      }
      await Promise.all([node.close(), other.close()])
    })

    it('of several callers is done by one', async () => {
      const place = { schema: newSchema(server) }
      const stores = [1, 2, 3].map(() => postgres(url, place))
      const results = await Promise.all(stores.map((store) => store.partitionTokens({ partitions: 4 })))
      expect(results.map(({ before }) => before).sort()).toEqual([1, 4, 4])
      await Promise.all(stores.map((store) => store.close()))
    })

    it('is done through a pooler in transaction mode too, which then finds tokens', async () => {
      const pool = transactionPooler(url)
      const store = postgres(pool, { schema: newSchema(server), transactionPooler: true })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      expect(await store.partitionTokens({ partitions: 2 })).toMatchObject({ copied: 1 })
      await rotate(store, id, 1, 2)
      for (const number of [1, 2])
        expect(await store.tokens.findByDigest(digestOf(number))).toMatchObject({ token: { id } })
      await store.close()
      await pool.end()
      expect(pool.offences).toEqual([])
    })

    it('changes nothing where something else depends on the table, and says so', async () => {
      const other = newSchema(server)
      const store = postgres(url, { schema: other })
      const user = await insertUser(store)
      const token = await insertToken(store, newToken(user.id, 1))
      await query(url, `CREATE VIEW ${other}.report AS SELECT id FROM ${other}.tokens`)
      await expect(store.partitionTokens({ partitions: 4 })).rejects.toMatchObject({
        code: 'store_unavailable',
        detail: `${store.path}: something outside of Latchkey depends on a table that has to be replaced: drop that first`,
      })
      expect(await store.tokens.list({})).toEqual([token])
      await query(url, `DROP VIEW ${other}.report`)
      expect(await store.partitionTokens({ partitions: 4 })).toMatchObject({ copied: 1 })
      await store.close()
    })

    it('leaves everything to the owner of the table, whoever calls it', async () => {
      const other = newSchema(server)
      await query(url, `CREATE ROLE ${other} LOGIN`)
      await query(url, `CREATE SCHEMA ${other} AUTHORIZATION ${other}`)
      const asOwner = new URL(url)
      asOwner.username = other
      const store = postgres(asOwner.href, { schema: other })
      const user = await insertUser(store)
      const admin = postgres(url, { schema: other })
      await admin.partitionTokens({ partitions: 2 })
      const { id } = await insertToken(store, newToken(user.id, 1))
      await rotate(store, id, 1, 2)
      expect(await store.tokens.findByDigest(digestOf(1))).not.toBeNull()
      expect(await store.partitionTokens({ partitions: 3 })).toMatchObject({ copied: 1 })
      await Promise.all([store.close(), admin.close()])
      await query(url, `DROP OWNED BY ${other}`)
      await query(url, `DROP ROLE ${other}`)
    })
  })

  describe('partitioned tokens', () => {
    /** What `changes` was told while something was done. */
    const toldOf = async (work: () => Promise<unknown>) => {
      await query(url, `DELETE FROM ${schema}.changes`)
      await work()
      const rows = await query<{ kind: string; digest: Buffer | null }>(
        url,
        `SELECT kind, digest FROM ${schema}.changes`,
      )
      return new Set(rows.map(({ kind, digest }) => digest?.readUInt32BE() ?? kind))
    }

    it('tell of both secrets of what is rotated, wherever it moves, and by a hand too', async () => {
      const store = await empty()
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 0))
      const partitions = new Set<number>()
      for (let number = 1; number < 20; number += 1) {
        const told = await toldOf(() => rotate(store, id, number - 1, number))
        expect(told).toEqual(new Set(number === 1 ? [0] : [number - 1, number - 2]))
        partitions.add(await partitionOf(id))
      }
      expect(partitions.size).toBeGreaterThan(2)
      const byHand = `UPDATE ${schema}.tokens SET digest = $1, previous_digest = NULL`
      expect(await toldOf(() => query(url, byHand, [digestOf(99)]))).toEqual(new Set([19, 18]))
      const ofMany = Array.from({ length: 30 }, (_, number) => 100 + number)
      for (const number of ofMany) await insertToken(store, newToken(user.id, number))
      const moveAll = `UPDATE ${schema}.tokens SET digest = sha256(digest)`
      expect(await toldOf(() => query(url, moveAll))).toEqual(new Set([99, ...ofMany]))
      await store.close()
    })

    it('tell of what is deleted or emptied, and nothing of what changes no right', async () => {
      const store = await empty()
      const user = await insertUser(store)
      const ids: number[] = []
      for (let number = 0; number < 5; number += 1) {
        const fields = { sealed: digestOf(0), expiresAt: new Date(5000) }
        const { id, digest } = await insertToken(store, newToken(user.id, number, fields))
        ids.push(id)
        const use = { tokenId: id, digest, count: 1, lastUsedAt: new Date(1), lastUsedAddress: null }
        await store.tokens.recordUses([use])
      }
      const [first = 0, second = 0, third = 0] = ids
      const usesOf = async () => (await store.tokens.listUses(ids)).map(({ tokenId }) => tokenId).sort()
      expect(await toldOf(() => store.tokens.reseal(first, digestOf(0), digestOf(1)))).toEqual(new Set())
      const renewed = () => store.tokens.renew(first, new Date(5000), new Date(6000))
      expect(await toldOf(renewed)).toEqual(new Set([0]))
      expect(await toldOf(() => store.tokens.delete(first))).toEqual(new Set([0]))
      expect(await usesOf()).toEqual(ids.slice(1))
      const byHand = `DELETE FROM ${schema}.tokens_${await partitionOf(second)}_of_8 WHERE id = ${second}`
      expect(await toldOf(() => query(url, byHand))).toEqual(new Set([1]))
      expect(await usesOf()).toEqual(ids.slice(2))
      const emptyOne = `TRUNCATE ${schema}.tokens_${await partitionOf(third)}_of_8`
      expect(await toldOf(() => query(url, emptyOne))).toEqual(new Set(['all']))
      expect(await usesOf()).not.toContain(third)
      const left = (await store.tokens.list({})).map(({ id }) => id)
      expect(await usesOf()).toEqual(left)
      const told = await toldOf(() => store.users.delete(user.id))
      expect(told).toEqual(new Set(['user', ...left.map((id) => ids.indexOf(id))]))
      expect(await usesOf()).toEqual([])
      await store.close()
    })

    it('take a later migration, under statements that are prepared', async () => {
      const other = newSchema(server)
      const store = postgres(url, { schema: other })
      await store.partitionTokens({ partitions: 4 })
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1, { name: 'n'.repeat(2000) }))
      await rotate(store, id, 1, 2)
      const found = () => Promise.all([1, 2].map((number) => store.tokens.findByDigest(digestOf(number))))
      const before = await found()
      expect(before).toMatchObject([{ token: { id } }, { token: { id } }])
      await query(
        url,
        `SET search_path TO ${other};
         ALTER TABLE tokens ADD COLUMN later text, ADD COLUMN also bigint NOT NULL DEFAULT 7, ADD CHECK (also > 0);
         CREATE INDEX tokens_later ON tokens (later);
         DROP INDEX tokens_expires_at;
         DROP TRIGGER tokens_updated ON tokens;
         CREATE TRIGGER tokens_updated AFTER UPDATE OF later, digest ON tokens
           FOR EACH ROW EXECUTE FUNCTION tell_token()`,
      )
      expect(await found()).toEqual(before)
      expect(await rotate(store, id, 2, 3)).not.toBeNull()
      await store.close()
    })

    it('are found in one partition, by its index alone, under the prepared statement', async () => {
      await emptySchema(server, schema)
      await query(
        url,
        `INSERT INTO ${schema}.users
           (username, email, password_hash, is_active, is_staff, is_superuser, date_joined)
         SELECT 'user' || n, '', '!', true, false, false, 0 FROM generate_series(1, 5000) AS n`,
      )
      await query(
        url,
        `INSERT INTO ${schema}.tokens (policy, user_id, digest, hint, name, scopes, created_at, previous_digest)
         SELECT 'personal', n, decode(lpad(to_hex(n), 8, '0') || repeat('0', 56), 'hex'), 'lk_…abcd', 'CI', '["a"]', 0,
           CASE WHEN n % 10 = 0 THEN sha256(n::text::bytea) END
         FROM generate_series(1, 5000) AS n`,
      )
      // The change feed keeps one connection, so the other one has everything that is prepared.
      const pool = new Pool({ connectionString: url, max: 2 })
      const store = postgres(pool, { schema })
      const explain = async (number: number) => {
        const secret = Buffer.from(digestOf(number)).toString('hex')
        const { rows } = await pool.query<{ 'QUERY PLAN': readonly [{ Plan: PlanNode }] }>(
          `EXPLAIN (ANALYZE, FORMAT JSON)
           EXECUTE "${schema}.token_user_by_digest" ('\\x${secret}')`,
        )
        return rows.flatMap((row) => nodesOf(row['QUERY PLAN'][0].Plan))
      }
      // Another test's transaction may keep a page from being marked as visible to all.
      await vi.waitFor(async () => {
        for (const table of ['tokens', 'users']) await query(url, `VACUUM ANALYZE ${schema}.${table}`)
        // The server decides for one plan for all secrets after five with a plan of their own.
        for (let number = 1; number <= 10; number += 1)
          expect(await store.tokens.findByDigest(digestOf(number))).not.toBeNull()
        const count = store.statementCount
        expect(await store.tokens.findByDigest(digestOf(6000))).toBeNull()
        expect(store.statementCount - count).toBe(2)
        const nodes = await explain(10)
        expect(nodes.map((node) => node['Subplans Removed'] ?? 0)).toContain(7)
        const read = nodes.filter((node) => node['Actual Loops'] > 0 && node['Relation Name'] !== undefined)
        const [part, ...more] = read
        expect(part).toMatchObject({
          'Node Type': 'Index Only Scan',
          'Index Name': expect.stringMatching(/^tokens_\d_of_8_digest_/),
          'Index Cond': '(digest = $1)',
          'Heap Fetches': 0,
        })
        expect(more).toMatchObject([{ 'Node Type': 'Index Scan', 'Index Name': 'users_pkey' }])
      }, PATIENCE)
      await store.close()
      await pool.end()
    })

    describe('of which another transaction moves one to another partition', () => {
      const EXPIRES_AT = new Date(5000)
      type Attempt = (store: Store, id: number, userId: UserId) => Promise<unknown>
      const attempts: ReadonlyArray<
        readonly [name: string, attempt: Attempt, outcome: unknown, isGone: boolean]
      > = [
        ['delete', (store, id) => store.tokens.delete(id), true, true],
        ['deleteMany', (store, _, userId) => store.tokens.deleteMany({ userId }), 1, true],
        ['the deletion of its user', (store, _, userId) => store.users.delete(userId), true, true],
        ['renew', (store, id) => store.tokens.renew(id, EXPIRES_AT, new Date(9000)), true, false],
        ['update', (store, id) => store.tokens.update(id, { name: 'new' }), true, false],
        ['reseal', (store, id) => store.tokens.reseal(id, digestOf(7), digestOf(8)), true, false],
        ['rotate', (store, id) => rotate(store, id, 2, 3), null, false],
        ['dropPrevious', (store, id) => store.tokens.dropPrevious(id, digestOf(1)), true, false],
        [
          'recordUses',
          (store, id) => {
            const use = { count: 1, lastUsedAt: new Date(1), lastUsedAddress: null }
            return store.tokens.recordUses([{ tokenId: id, digest: digestOf(2), ...use }])
          },
          undefined,
          false,
        ],
      ]
      for (const [name, attempt, outcome, isGone] of attempts) {
        it(`${name} acts on it where it is now`, async () => {
          const store = await empty()
          const user = await insertUser(store)
          const fields = { expiresAt: EXPIRES_AT, sealed: digestOf(7) }
          const { id } = await insertToken(store, newToken(user.id, 1, fields))
          await rotate(store, id, 1, 2)
          const before = await partitionOf(id)
          const client = new Client(url)
          await client.connect()
          onTestFinished(() => client.end())
          await client.query('BEGIN')
          let after = before
          for (let number = 100; after === before; number += 1) {
            await client.query(`UPDATE ${schema}.tokens SET digest = $1`, [digestOf(number)])
            after = await partitionOf(id, onClient(client))
          }
          const waiting = attempt(store, id, user.id)
          await isWaiting()
          await client.query('COMMIT')
          expect(await waiting).toEqual(outcome)
          expect((await store.tokens.list({})).length).toBe(isGone ? 0 : 1)
          if (isGone) expect(await query(url, `SELECT FROM ${schema}.token_uses`)).toEqual([])
          await store.close()
        })
      }
    })

    it('are gone with their user, though a rotation and the deletion wait for each other', async () => {
      const store = await empty()
      const user = await insertUser(store)
      const { id } = await insertToken(store, newToken(user.id, 1))
      const client = new Client(url)
      await client.connect()
      onTestFinished(() => client.end())
      await client.query('BEGIN')
      await client.query(`SELECT FROM ${schema}.tokens WHERE id = ${id} FOR UPDATE`)
      const deletion = store.users.delete(user.id)
      await isWaiting()
      const before = await partitionOf(id)
      const move = async () => {
        for (let number = 100; (await partitionOf(id, onClient(client))) === before; number += 1)
          await client.query(`UPDATE ${schema}.tokens SET digest = $1`, [digestOf(number)])
      }
      // The new row asks for the user, whom the deletion has locked: the server ends one of the two.
      const isEnded = await move().then(
        () => false,
        (error) => error.code === '40P01',
      )
      await client.query(isEnded ? 'ROLLBACK' : 'COMMIT')
      expect(await deletion).toBe(true)
      expect(await store.tokens.list({})).toEqual([])
      await store.close()
    })

    it('are rotated, renewed, used and revoked at once by two nodes: nobody fails, and nothing comes back', async () => {
      const first = await empty()
      const second = postgres(url, { schema })
      let rotated = 0
      for (let round = 0; round < 60; round += 1) {
        const user = await insertUser(first, `user${round}`)
        const number = 1000 * (round + 1)
        const { id } = await insertToken(first, newToken(user.id, number, { expiresAt: new Date(5000) }))
        const expiresAt = [5000, 6000].map((ms) => new Date(ms))
        const use = { tokenId: id, digest: digestOf(number), count: 1, lastUsedAddress: null }
        const revoke = (store: PostgresStore) =>
          round % 3 === 0
            ? store.tokens.deleteMany({ userId: user.id }).then((count) => count === 1)
            : store.tokens.delete(id)
        const calls = [
          ...[first, second].map((store, node) => () => rotate(store, id, number, number + node + 1)),
          ...expiresAt.map((date) => () => second.tokens.renew(id, date, new Date(date.getTime() + 1000))),
          () => first.tokens.update(id, { name: 'new' }),
          () => second.tokens.recordUses([{ ...use, lastUsedAt: new Date(1) }]),
          () => second.tokens.deleteExpired(new Date(1), { id }),
          ...[first, second].map((store) => () => revoke(store)),
        ]
        const turned = [...calls.slice(round % calls.length), ...calls.slice(0, round % calls.length)]
        const results = await Promise.all(turned.map((call) => call()))
        const outcomes = calls.map((call) => results[turned.indexOf(call)])
        if (outcomes.slice(0, 2).some(Boolean)) rotated += 1
        expect(outcomes.slice(0, 2).filter(Boolean).length).toBeLessThan(2)
        expect(outcomes.slice(-2).sort()).toEqual([false, true])
        for (const secret of [number, number + 1, number + 2])
          expect(await first.tokens.findByDigest(digestOf(secret))).toBeNull()
      }
      expect(rotated).toBeGreaterThan(5)
      expect(await first.tokens.list({})).toEqual([])
      expect(await query(url, `SELECT FROM ${schema}.token_uses`)).toEqual([])
      await Promise.all([first.close(), second.close()])
    })
  })

  /** Resolves when a statement on the schema waits for a lock. */
  const isWaiting = () =>
    vi.waitFor(async () => {
      const blocked = `SELECT FROM pg_locks WHERE NOT granted AND pid IN (
        SELECT pid FROM pg_stat_activity WHERE query LIKE '%${schema}%' AND pid <> pg_backend_pid())`
      expect(await query(url, blocked)).toHaveLength(1)
    }, PATIENCE)

  const onClient = (client: Client) => (sql: string) =>
    client.query<{ part: string }>(sql).then(({ rows }) => rows)

  /** The number of the partition that has a token. */
  async function partitionOf(
    id: number,
    run: (sql: string) => Promise<{ part: string }[]> = (sql) => query<{ part: string }>(url, sql),
  ): Promise<number> {
    const [row] = await run(`SELECT tableoid::regclass::text AS part FROM ${schema}.tokens WHERE id = ${id}`)
    return Number(/tokens_(\d)_of_8$/.exec(row?.part ?? '')?.[1])
  }
}

function rotate(store: Store, id: number, from: number, to: number) {
  return store.tokens.rotate(id, {
    expected: digestOf(from),
    digest: digestOf(to),
    hint: 'new',
    sealed: digestOf(7),
    previousEndsAt: new Date(9000),
  })
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Function Name'?: string
  readonly 'Subplans Removed'?: number
  readonly 'Actual Loops': number
  readonly Plans?: readonly PlanNode[]
}

function nodesOf(node: PlanNode): readonly PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(nodesOf)]
}
