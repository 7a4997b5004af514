/** What a store says after it erased what was deleted or replaced. One type for every SQL engine. */

export interface EraseResult {
  /** Whether nothing that was deleted or replaced is left in the files of the tables. */
  readonly isComplete: boolean
  /** What is left to do and why; null: nothing. */
  readonly advice: string | null
  /** SQLite: free pages that the file had, which may have held such data. PostgreSQL: null, it does not count them. */
  readonly freePages: number | null
}
