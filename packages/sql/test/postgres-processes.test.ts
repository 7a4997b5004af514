import { type PostgresOptions, postgres } from '../src/index.js'
import { HOSTILE_OPTIONS } from './hostile-settings.js'
import { findPostgres, newSchema } from './postgres-server.js'
import { testProcesses } from './process-contract.js'

const server = await findPostgres()

if (server !== null) {
  const newPlace = () => JSON.stringify({ url: server.url, schema: newSchema(server) })
  const open = (place: string, options?: PostgresOptions) => {
    const { url, ...more } = JSON.parse(place)
    return postgres(url, { ...more, ...options })
  }
  testProcesses('one PostgreSQL', { newPlace, open })
  testProcesses('one PostgreSQL with hostile settings', {
    newPlace() {
      const address = new URL(server.url)
      address.searchParams.set('options', HOSTILE_OPTIONS)
      return JSON.stringify({ url: address.href, schema: newSchema(server) })
    },
    open,
  })
  testProcesses('one PostgreSQL with partitions', {
    async newPlace() {
      const place = newPlace()
      const store = open(place)
      await store.partitionTokens({ partitions: 4 })
      await store.close()
      return place
    },
    isMigrated: true,
    open,
  })
}
