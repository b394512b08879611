/**
 * From older layouts of the store to the one that this version writes, step by step at opening.
 *
 * Invariants: a migration may be run again, because the meta row that says it is done is written after it, so a crash
 * in the middle does no harm; what it needs of an older layout it spells itself, since `keys.ts` has the newest only;
 * a store of each layout that was ever released is kept in `test/fixtures` and opened by the tests.
 */
import type { Layout } from '../keys.ts'
import type { RowStore } from '../row-store.ts'

export interface Migration {
  /** The layout that it begins with; it ends with the next. */
  from: number
  migrate(rows: RowStore, layout: Layout): Promise<void>
}

/** None yet: there is one layout. */
export const MIGRATIONS: readonly Migration[] = []

/**
 * Brings rows from one layout to another.
 *
 * @param done - called after each step with the layout that the rows have then.
 */
export async function migrate(
  { rows, layout, from, to }: { rows: RowStore; layout: Layout; from: number; to: number },
  done: (layout: number) => Promise<void>,
  migrations = MIGRATIONS
): Promise<void> {
  for (let version = from; version < to; version++) {
    const step = migrations.find((migration) => migration.from === version)
    if (step === undefined)
      throw new TypeError(`There is no migration from layout ${version} to ${version + 1}`)
    await step.migrate(rows, layout)
    await done(version + 1)
  }
}
