/**
 * Opens everything that a replica keeps in its datastore.
 */
import type { NodeCodec } from '../codec/node.ts'
import { CorruptRowError } from '../errors.ts'
import type { Limits } from '../options.ts'
import { committerFor } from '../storage/commit.ts'
import { GapStore } from '../storage/gap-store.ts'
import { HeadsStore } from '../storage/heads-store.ts'
import type { Layout } from '../storage/keys.ts'
import { type BlockSource, LogStore } from '../storage/log-store.ts'
import { cachedCommitter, ReadCache } from '../storage/read-cache.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeState } from '../storage/rows.ts'
import { SetStore } from '../storage/set-store.ts'
import { IgnoredDags } from './ignored-dags.ts'
import type { MergeStores } from './staged-commit.ts'
import { ReplicaState } from './state.ts'

export interface OpenStoresInit {
  rows: RowStore
  layout: Layout
  /** Where blocks live, if not in the log. */
  blocks?: BlockSource | undefined
  codec: NodeCodec
  limits: Pick<Limits, 'journalRetriesMax' | 'readCacheBytesMax'>
}

export interface OpenStores {
  stores: MergeStores
  state: ReplicaState
  ignored: IgnoredDags
}

/** @throws CorruptRowError naming a row that does not decode. */
export async function openStores({
  rows,
  layout,
  blocks,
  codec,
  limits
}: OpenStoresInit): Promise<OpenStores> {
  const { journalRetriesMax, readCacheBytesMax } = limits
  const cache = readCacheBytesMax === 0 ? undefined : new ReadCache(layout, readCacheBytesMax)
  const uncached = committerFor(rows, layout.journal, journalRetriesMax)
  const committer = cache === undefined ? uncached : cachedCommitter(uncached, cache)
  const log = new LogStore(rows, layout, blocks, codec)
  const heads = new HeadsStore(layout)
  const gaps = new GapStore(rows, layout)
  const ignored = new IgnoredDags(layout)
  const stateBytes = await rows.get(layout.state)
  const state = ReplicaState.load(layout.state, stateBytes)
  await heads.load(rows, state.committed.heads)
  await gaps.load()
  await ignored.load(rows)
  await checkEnd(rows, layout, stateBytes === undefined ? undefined : state.committed.sequence)
  return {
    stores: { rows, layout, committer, log, sets: new SetStore(rows, layout, cache), heads, gaps },
    state,
    ignored
  }
}

/** Reads again what is in memory, after rows were mended. Only where no commit is under way. */
export async function reloadStores({ stores, state }: Pick<OpenStores, 'stores' | 'state'>): Promise<void> {
  const { rows, layout, heads, gaps, log } = stores
  const bytes = await rows.get(layout.state)
  if (bytes !== undefined) state.replace(decodeState(layout.state, bytes))
  await heads.load(rows, state.committed.heads)
  await gaps.load()
  log.forget()
}

/** A state row that is gone or stale would have the next commits written over the log. */
async function checkEnd(rows: RowStore, layout: Layout, sequence: number | undefined): Promise<void> {
  if (sequence === undefined) {
    // After a purge the log may begin anywhere.
    for await (const _ of rows.scanKeys(layout.logEntries)) {
      throw new CorruptRowError(layout.state, 'it is gone, and the log of nodes is there')
    }
  } else if ((await rows.get(layout.log(sequence + 1))) !== undefined) {
    throw new CorruptRowError(layout.state, 'it is older than the log of nodes')
  }
}
