/**
 * better-sqlite3 with one precaution: nothing that it makes is ever garbage collected. Connections open through this.
 *
 * Built against the headers of Node 24.19 and later, the collection of one of its statements aborts the process
 * (`Assertion failed: (env) != nullptr`, nodejs/node#65446). Its version 13 is free of this and needs Node 22, so until
 * Node 20 goes the objects are held here. They are few: a connection prepares each statement once.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Driver from 'better-sqlite3'

const held: object[] = []

/**
 * Where the driver's native half lies. It would look for it by the stack trace, which loaders of TypeScript change under
 * Node 24; undefined, so that it does look, where the package is laid out in another way.
 */
const NATIVE_BINDING = findNativeBinding()

function findNativeBinding(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('better-sqlite3/package.json')
    const file = join(dirname(manifest), 'build', 'Release', 'better_sqlite3.node')
    return existsSync(file) ? file : undefined
  } catch {
    return undefined
  }
}

export class Database extends Driver {
  constructor(path: string, options: Driver.Options = {}) {
    super(path, { ...options, ...(NATIVE_BINDING === undefined ? {} : { nativeBinding: NATIVE_BINDING }) })
    held.push(this)
    const prepare: Driver.Database['prepare'] = (sql: string) => {
      const statement = super.prepare(sql)
      held.push(statement)
      // The driver's own type for it depends on parameters that only the caller knows.
      return statement as never
    }
    this.prepare = prepare
  }

  override pragma(source: string, options: Driver.PragmaOptions = {}): unknown {
    const statement = this.prepare(`PRAGMA ${source}`)
    if (!statement.reader) return void statement.run()
    return options.simple ? statement.pluck().get() : statement.all()
  }
}
