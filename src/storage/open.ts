/**
 * Opening a store: what it refuses before it touches anything, the journal that a crash may have left, and
 * migrations from older layouts.
 */
import { LayoutTooNewError, TopicMismatchError } from '../errors.ts'
import { replayJournal } from './commit.ts'
import { LAYOUT, type Layout } from './keys.ts'
import { migrate } from './migrations/index.ts'
import type { RowStore } from './row-store.ts'
import { decodeMeta, encodeMeta } from './rows.ts'

/**
 * Checks that this version may read the store, finishes a commit that was decided before a crash, and writes the
 * meta row of a new store.
 *
 * @param topic - what the store replicates on, if it replicates; the first one that is given is remembered.
 * @throws LayoutTooNewError if a newer version wrote it.
 * @throws TopicMismatchError if it belongs to another topic.
 */
export async function openStore(rows: RowStore, layout: Layout, topic: string | undefined): Promise<void> {
  const bytes = await rows.get(layout.meta)
  const meta = bytes === undefined ? undefined : decodeMeta(layout.meta, bytes)
  if (meta !== undefined && meta.leastReader > LAYOUT) throw new LayoutTooNewError(meta.layout, LAYOUT)
  if (meta?.topic !== undefined && topic !== undefined && meta.topic !== topic) {
    throw new TopicMismatchError(meta.topic, topic)
  }
  await replayJournal(rows, layout.journal)
  const known = meta?.topic ?? topic
  const writeMeta = async (version: number, leastReader = version): Promise<void> => {
    const row = encodeMeta({ layout: version, leastReader, topic: known })
    await rows.write(new Map([[layout.meta, row]]))
  }
  if (meta === undefined) return await writeMeta(LAYOUT)
  if (meta.layout < LAYOUT) await migrate({ rows, layout, from: meta.layout, to: LAYOUT }, writeMeta)
  else if (meta.topic !== known) await writeMeta(meta.layout, meta.leastReader)
}
