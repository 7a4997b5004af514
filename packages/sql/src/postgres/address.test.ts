import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { postgres } from './postgres.js'

describe('the address of a database', () => {
  it('is refused where a character of the password would end its host, and none of it is repeated', () => {
    for (const url of [
      'postgres://app:hunter#2@db/app',
      'postgres://app:12#3@db/app',
      'postgres://app:12/3@db/app',
      'postgres://app:12?3@db/app',
      'postgres://app:12?3@db/app?sslmode=require',
      'postgres://app:hunter/2@db/app',
      'postgres://db/app?password=12#3',
      'postgres://app:12#3',
      'postgres//app:12@db/app',
    ]) {
      expect(() => postgres(url), url).toThrow(/^postgres\(url\): must be an address such as [^\n]*%23 for #/)
      expect(() => postgres(url), url).not.toThrow(/hunter|12|app:/)
    }
  })

  it('is named without user and password, by the place where the driver connects to', () => {
    for (const [url, place] of [
      ['postgres://app:p%23%2F%3F%40@db.example/app', 'postgres://db.example/app'],
      ['postgres://app:p@ss@db.example:6543/app', 'postgres://db.example:6543/app'],
      ['postgres://db/app?user=me@corp&password=a@b', 'postgres://db/app'],
      ['postgres://app:secret@db/app?host=other&port=6432', 'postgres://other:6432/app'],
      ['postgres:///app?host=/run/postgresql', 'postgres:///run/postgresql/app'],
      ['postgres://app:secret@/app?host=/run/postgresql', 'postgres:///run/postgresql/app'],
      ['postgres://app:secret@%2Frun%2Fpostgresql/app', 'postgres:///run/postgresql/app'],
      ['postgres://app:secret@[::1]:5433/app', 'postgres://[::1]:5433/app'],
    ] as const) {
      expect(postgres(url).path, url).toBe(place)
      expect(postgres(new Pool({ connectionString: url })).path, url).toBe(place)
    }
  })
})
