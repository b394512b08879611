/**
 * What a key costs on disk when each came with a delta of its own: blocks and index.
 *
 * A database that is closed while it compacts leaves behind what it was about to write, and a log of the newest rows, until
 * it is opened again; how much of either is chance. So both stores are opened and closed once more before they are weighed.
 */
import type { LevelDatastore } from 'datastore-level'
import { type Benchmark, check } from '../benchmark.ts'
import { folderBytes } from '../folder-size.ts'
import { ofGo, startGoPeer } from '../rivals/go-peers.ts'
import { RivalProcess } from '../rivals/rival-process.ts'
import type { Scope } from '../scope.ts'
import { openLevel, writeHistory } from '../stores.ts'

const KEYS = { full: 100_000, quick: 20_000 }

const TOPIC = 'disk'

export const disk: Benchmark = {
  name: 'disk',
  about: 'bytes on disk for each key of 100,000 (quick: 20,000) that were put one by one',
  figures: {
    'per key': { unit: 'B', better: 'less' },
    'in go-ds-crdt': { unit: 'x', better: 'less', target: 0.5, rival: 'go-ds-crdt' },
    'go-ds-crdt': { unit: 'B', better: 'less', rival: 'go-ds-crdt' },
    log: { unit: 'B', better: 'less' },
    values: { unit: 'B', better: 'less' },
    index: { unit: 'B', better: 'less' }
  },
  // Nothing in it depends on time but which files were compacted by then.
  runs: { full: 3, quick: 1 },
  warmUps: 0,
  async prepare(scope) {
    const count = scope.options.quick ? KEYS.quick : KEYS.full
    const theirs = await ofGo(scope, 'disk', (inner) => goBytes(inner, count))
    return async (run) => {
      const folder = await run.folder()
      await writeHistory({ folder, topic: TOPIC, prefix: 'disk', count })
      const level = await openLevel(run, folder)
      const tables = await tableBytes(level)
      await level.close()
      const ours = (await folderBytes(folder)) / count
      check(ours > 200, 'A value stands in its block and in the row that is read')
      return {
        'per key': ours,
        ...(theirs && { 'in go-ds-crdt': ours / theirs, 'go-ds-crdt': theirs }),
        ...{ log: tables.log / count, values: tables.values / count, index: tables.index / count }
      }
    }
  }
}

/** What the rows of each kind take, roughly: blocks in the order of commits, values by key, and what finds a block. */
async function tableBytes({ db }: LevelDatastore): Promise<{ log: number; values: number; index: number }> {
  const level = db as unknown as { approximateSize(start: string, end: string): Promise<number> }
  const sizeOf = (kind: string): Promise<number> => level.approximateSize(`/crdt/${kind}`, `/crdt/${kind}~`)
  const [log = 0, values = 0, index = 0] = await Promise.all(['b/', 'k/', 'a/'].map(sizeOf))
  return { log, values, index }
}

/** Bytes of a Go peer for each of its keys. */
async function goBytes(scope: Scope, count: number): Promise<number> {
  const { peer, folder } = await startGoPeer(scope, TOPIC)
  await peer.call('puts', { prefix: 'disk', from: 0, count })
  await peer.call('close')
  const again = await RivalProcess.start(scope, 'go-ds-crdt')
  await again.call('open', { folder, topic: TOPIC })
  await again.call('close')
  return (await folderBytes(folder)) / count
}
