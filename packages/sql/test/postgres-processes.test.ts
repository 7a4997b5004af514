import { postgres } from '../src/index.js'
import { findPostgres, newSchema } from './postgres-server.js'
import { testProcesses } from './process-contract.js'

const server = await findPostgres()

if (server !== null) {
  testProcesses('one PostgreSQL', {
    newPlace: () => JSON.stringify({ url: server.url, schema: newSchema(server) }),
    open(place, options) {
      const { url, ...more } = JSON.parse(place)
      return postgres(url, { ...more, ...options })
    },
  })
}
