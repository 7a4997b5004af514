import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { findPostgres, newSchema, query } from '../../test/postgres-server.js'
import { insertUser } from '../../test/samples.js'
import { postgres } from './postgres.js'
import { parameterOf, TYPES } from './values.js'

const BYTEA = 17
const server = await findPostgres()

describe('parameterOf', () => {
  it('refuses an array with null, which array_nulls may turn into a text', () => {
    expect(() => parameterOf(['a', null])).toThrow(TypeError)
    expect(parameterOf(['a', 'null', ''])).toEqual(['a', 'null', ''])
    expect(parameterOf(null)).toBeNull()
  })
})

if (server !== null) {
  const { url } = server

  describe('values', () => {
    it('of bytes are the same in both formats, whatever the bytes are', async () => {
      const samples = [
        Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
        ...['', '\\', '\\x', '\\\\x41', '\\101', "'\\'", '\n\r\t\0'].map((text) => Buffer.from(text)),
      ]
      for (const format of ['hex', 'escape']) {
        const texts = samples.map((bytes) => `'\\x${bytes.toString('hex')}'::bytea::text`)
        const [row] = await query<Record<string, string>>(
          `${url}?options=-c%20bytea_output=${format}`,
          `SELECT ${texts.map((text, index) => `${text} AS "${index}"`).join(', ')}`,
        )
        const read = Object.values(row ?? {}).map(TYPES.getTypeParser(BYTEA))
        expect(read).toEqual(samples.map((bytes) => new Uint8Array(bytes)))
      }
    })

    it('of a type whose text depends on settings cannot be read', async () => {
      for (const type of [
        'timestamptz',
        'date',
        'interval',
        'float8',
        'float4',
        'numeric',
        'money',
        'bytea[]',
        'xml',
      ]) {
        const [row] = await query<{ oid: number }>(url, 'SELECT $1::regtype::oid AS oid', [type])
        // Asking for the parser must not throw: it would end the process.
        const parse = TYPES.getTypeParser(row?.oid ?? 0)
        expect(() => parse('1'), type).toThrow(TypeError)
      }
    })

    it('are refused in the binary format, which the driver reads wrongly', async () => {
      const pool = new Pool({ connectionString: url, max: 2, binary: true } as {
        connectionString: string
        max: number
      })
      const store = postgres(pool, { schema: newSchema(server) })
      await expect(insertUser(store)).rejects.toThrow(/option `binary`/)
      await store.close()
      await pool.end()
    })
  })
}
