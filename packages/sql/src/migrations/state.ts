/** Where a database stands, on every engine: what it has, what it lacks, and what it has from a later version. */
import { MIGRATIONS } from './index.js'

export interface AppliedMigration {
  readonly name: string
  readonly appliedAt: Date
}

export interface MigrationState {
  readonly applied: readonly AppliedMigration[]
  /** Names that this version has and the database has not. */
  readonly pending: readonly string[]
  /** Names that the database has and this version does not know: a newer version was here. */
  readonly unknown: readonly string[]
}

export function stateAfter(applied: readonly AppliedMigration[]): MigrationState {
  const names = new Set(applied.map(({ name }) => name))
  return {
    applied,
    pending: Object.keys(MIGRATIONS).filter((name) => !names.has(name)),
    unknown: [...names].filter((name) => !(name in MIGRATIONS)),
  }
}

/** All migrations in their order; `appliedAt` is null for a pending one. */
export function listed({ applied }: MigrationState) {
  const appliedAt = new Map(applied.map((migration) => [migration.name, migration.appliedAt]))
  return Object.keys(MIGRATIONS).map((name) => ({ name, appliedAt: appliedAt.get(name) ?? null }))
}
