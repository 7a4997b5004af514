/** Queries that Kysely writes and checks against the schema; the connection runs them, within its bounds. */
import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  sql,
} from 'kysely'
import type { PostgresSchema } from './rows.js'

const QUERIES = new Kysely<PostgresSchema>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

/** Every name with its schema: a search path is state of a session, which a pooler gives to anybody. */
export function queriesOf(schema: string): Kysely<PostgresSchema> {
  return QUERIES.withSchema(schema)
}

/** The transaction of a change, as one more column that it returns: the change feed knows it again by that. */
export const XID = sql<string>`pg_current_xact_id()::text`.as('xid')
