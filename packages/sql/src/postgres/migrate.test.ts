import { describe, expect, it } from 'vitest'
import { undoTo0005 } from '../../test/earlier-schema.js'
import { findPostgres, newSchema, query } from '../../test/postgres-server.js'
import { insertToken, insertUser, newToken, newUser } from '../../test/samples.js'
import { MIGRATIONS as EVERYWHERE } from '../migrations/index.js'
import { postgres } from './postgres.js'

const server = await findPostgres()
const NAMES = Object.keys(EVERYWHERE)
const UNMIGRATED = { code: 'store_unavailable', detail: expect.stringContaining('run `latchkey migrate`') }

if (server !== null) {
  const { url } = server
  const tablesOf = async (schema: string) => {
    const sql = 'SELECT tablename AS name FROM pg_tables WHERE schemaname = $1 ORDER BY 1'
    return (await query<{ name: string }>(url, sql, [schema])).map(({ name }) => name)
  }

  describe('migrations on PostgreSQL', () => {
    it('are applied before the first use, under the names that they have on SQLite', async () => {
      const store = postgres(url, { schema: newSchema(server) })
      expect(await store.migrations()).toEqual(NAMES.map((name) => ({ name, appliedAt: null })))
      await Promise.all([insertUser(store, 'a'), insertUser(store, 'b')])
      expect(await store.migrations()).toEqual(NAMES.map((name) => ({ name, appliedAt: expect.any(Date) })))
      await store.close()
    })

    it('are applied once, however often they are run', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema })
      expect(await store.migrate()).toEqual(NAMES)
      expect(await store.migrate()).toEqual([])
      await insertUser(store)
      await store.close()
      const again = postgres(url, { schema })
      expect(await again.migrate()).toEqual([])
      expect(await again.users.list()).toHaveLength(1)
      await again.close()
    })

    it('of several stores at once are done by one of them', async () => {
      const schema = newSchema(server)
      const stores = Array.from({ length: 4 }, () => postgres(url, { schema }))
      const applied = await Promise.all(stores.map((store) => store.migrate()))
      expect(applied.filter((names) => names.length > 0)).toEqual([NAMES])
      const users = await Promise.all(
        stores.map((store, index) => store.users.insert(newUser(`user${index}`))),
      )
      expect(users.filter(Boolean)).toHaveLength(4)
      await Promise.all(stores.map((store) => store.close()))
    })

    it('let methods that are called meanwhile wait', async () => {
      for (const order of ['migrate first', 'insert first']) {
        const store = postgres(url, { schema: newSchema(server), migrate: order === 'insert first' })
        const migrate = () => store.migrate()
        const insert = () => store.users.insert(newUser())
        await Promise.all(order === 'migrate first' ? [migrate(), insert()] : [insert(), migrate()])
        expect(await store.users.list()).toHaveLength(1)
        await store.close()
      }
    })

    it('are not applied by a server that must not: every use says what to run', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema, migrate: false })
      await expect(store.users.list()).rejects.toMatchObject(UNMIGRATED)
      await expect(store.tokens.findByDigest(new Uint8Array(32))).rejects.toMatchObject(UNMIGRATED)
      await expect(store.counters.hit('key', { maxCount: 1, periodSeconds: 1 }, 0)).rejects.toMatchObject({
        detail: `${store.path}: no such table: run \`latchkey migrate\``,
      })
      expect(await tablesOf(schema)).toEqual([])
      const other = postgres(url, { schema })
      await other.migrate()
      expect(await store.users.list()).toEqual([])
      await Promise.all([store.close(), other.close()])
    })

    it('that are missing are named, and those of a newer version refused', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema })
      await store.migrate()
      const last = NAMES.at(-1)
      await query(url, `UPDATE ${schema}.latchkey_migrations SET name = '9999-later' WHERE name = $1`, [last])
      await store.close()
      for (const migrate of [true, false]) {
        const newer = postgres(url, { schema, migrate })
        const refusal = {
          code: 'store_unavailable',
          detail: expect.stringMatching(/newer than this version of @latchkey\/sql \(9999-later\): upgrade/),
        }
        await expect(newer.users.list()).rejects.toMatchObject(refusal)
        await newer.close()
      }
      await query(url, `DELETE FROM ${schema}.latchkey_migrations WHERE name = '9999-later'`)
      const older = postgres(url, { schema, migrate: false })
      const lacks = expect.stringContaining(`the database lacks ${last}: run \`latchkey migrate\``)
      await expect(older.users.list()).rejects.toMatchObject({ detail: lacks })
      await older.close()
    })

    it('happen completely or not at all, and are tried again at the next use', async () => {
      const schema = newSchema(server)
      await query(url, `CREATE SCHEMA ${schema}`)
      await query(url, `CREATE TABLE ${schema}.signing_keys (of_another text)`)
      const store = postgres(url, { schema })
      const detail = expect.stringContaining('tables of another program')
      await expect(store.users.list()).rejects.toMatchObject({ code: 'store_unavailable', detail })
      expect(await tablesOf(schema)).toEqual(['signing_keys'])
      await query(url, `DROP TABLE ${schema}.signing_keys`)
      expect(await store.users.list()).toEqual([])
      await store.close()
    })

    it('need no right to make a schema where an administrator has made it', async () => {
      const schema = newSchema(server)
      await query(url, `CREATE ROLE ${schema} LOGIN`)
      const asRole = new URL(url)
      asRole.username = schema
      const store = postgres(asRole.href, { schema })
      const detail = expect.stringMatching(/lacks a right/)
      await expect(store.users.list()).rejects.toMatchObject({ code: 'store_unavailable', detail })
      await query(url, `CREATE SCHEMA ${schema} AUTHORIZATION ${schema}`)
      expect(await store.users.list()).toEqual([])
      await store.close()
      await query(url, `DROP OWNED BY ${schema}`)
      await query(url, `DROP ROLE ${schema}`)
    })

    it('refuse seals of format 1 from a version that was running meanwhile, with partitions too', async () => {
      const store = postgres(url, { schema: newSchema(server) })
      const { id: userId } = await insertUser(store)
      const seal = (format: number) => Uint8Array.from({ length: 33 }, (_, at) => (at === 0 ? format : 7))
      const refused = {
        code: 'store_unavailable',
        detail: expect.stringMatching(/newer than this version.*upgrade/),
      }
      for (const partitions of [1, 4]) {
        if (partitions > 1) await store.partitionTokens({ partitions })
        const old = newToken(userId, partitions, { sealed: seal(1) })
        await expect(store.tokens.insertOrGet(old)).rejects.toMatchObject(refused)
        const { id } = await insertToken(store, newToken(userId, partitions, { sealed: seal(2) }))
        await expect(store.tokens.reseal(id, seal(2), seal(1))).rejects.toMatchObject(refused)
        expect(await store.tokens.reseal(id, seal(2), seal(3))).toBe(true)
      }
      await store.close()
    })

    it('register the keys of what is sealed already', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema })
      const { id: userId } = await insertUser(store)
      const sealed = (id: string) => Buffer.concat([Buffer.of(2), Buffer.from(id, 'hex'), Buffer.alloc(30)])
      for (const [number, id] of ['0a0b0c0d', '0a0b0c0d', 'ff000001'].entries())
        await insertToken(store, newToken(userId, number, { sealed: sealed(id) }))
      await store.close()
      await query(url, undoTo0005(schema))
      const again = postgres(url, { schema })
      expect(await again.sealingKeys.list()).toEqual(['0a0b0c0d', 'ff000001'])
      await again.close()
    })

    it('say plainly when a table went missing under a running server', async () => {
      const schema = newSchema(server)
      const store = postgres(url, { schema })
      await store.migrate()
      await query(url, `DROP TABLE ${schema}.tokens CASCADE`)
      await expect(store.tokens.list({})).rejects.toMatchObject(UNMIGRATED)
      await store.close()
    })
  })
}
