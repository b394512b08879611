/**
 * The rows that a store needs to be opened at all, besides those that are derived from the log.
 *
 * Invariant: a row that is whole is never touched.
 */
import { ChangeSet } from '../storage/commit.ts'
import { LAYOUT } from '../storage/keys.ts'
import { decodeIgnored, decodeMeta, encodeIgnored, encodeMeta } from '../storage/rows.ts'
import type { CheckedStore } from './checked.ts'
import type { RowDifference } from './difference.ts'

export interface OpeningRowsOptions {
  mend: boolean
  /** The topic of the store, if it is known: the meta row may have forgotten it. */
  topic: string | undefined
  onDifference(difference: RowDifference, mended: boolean): void
}

/** Meta, ignored DAGs, and a journal that cannot be applied: the log has what it was to bring about, or nothing. */
export async function checkOpeningRows(store: CheckedStore, options: OpeningRowsOptions): Promise<void> {
  await store.exclusively(async () => {
    const changes = new ChangeSet()
    for (const check of [checkMeta, checkJournal, checkIgnored]) {
      for await (const difference of check(store, options, changes)) {
        options.onDifference(difference, options.mend)
      }
    }
    if (options.mend && changes.rows.size > 0) await store.rows.write(changes.rows)
  })
}

async function* checkMeta(
  { rows, layout }: CheckedStore,
  { topic }: OpeningRowsOptions,
  changes: ChangeSet
): AsyncGenerator<RowDifference> {
  const bytes = await rows.get(layout.meta)
  if (bytes !== undefined && decodes(() => decodeMeta(layout.meta, bytes))) return
  if (bytes === undefined && (await isEmpty(rows.scanKeys(layout.all)))) return
  changes.put(layout.meta, encodeMeta({ layout: LAYOUT, leastReader: LAYOUT, topic }))
  yield { kind: 'meta', problem: bytes === undefined ? 'missing' : 'wrong', row: layout.meta }
}

async function* checkJournal(
  { rows, layout }: CheckedStore,
  _options: OpeningRowsOptions,
  changes: ChangeSet
): AsyncGenerator<RowDifference> {
  if ((await rows.get(layout.journal)) === undefined) return
  changes.delete(layout.journal)
  yield { kind: 'journal', problem: 'wrong', row: layout.journal, detail: 'it cannot be applied' }
}

async function* checkIgnored(
  { rows, layout }: CheckedStore,
  _options: OpeningRowsOptions,
  changes: ChangeSet
): AsyncGenerator<RowDifference> {
  for await (const { row, value } of rows.scan(layout.ignored)) {
    if (layout.ignoredDag(layout.dagNameOfIgnored(row)) !== row) {
      changes.delete(row)
      yield { kind: 'ignored', problem: 'extra', row }
      continue
    }
    if (decodes(() => decodeIgnored(row, value))) continue
    // The purge is done once more, which does no harm.
    changes.put(row, encodeIgnored({ purged: false }))
    yield { kind: 'ignored', problem: 'wrong', row }
  }
}

function decodes(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch {
    return false
  }
}

async function isEmpty(rows: AsyncIterable<string>): Promise<boolean> {
  for await (const _ of rows) return false
  return true
}
