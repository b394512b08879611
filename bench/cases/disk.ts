/**
 * What a key costs on disk when each came with a delta of its own: blocks and index, after the store was closed.
 */
import { type Benchmark, check } from '../benchmark.ts'
import { folderBytes } from '../folder-size.ts'
import { ofGo, startGoPeer } from '../rivals/go-peers.ts'
import { writeHistory } from '../stores.ts'

const KEYS = { full: 20_000, quick: 5000 }

export const disk: Benchmark = {
  name: 'disk',
  about: 'bytes on disk for each key of 20,000 (quick: 5,000) that were put one by one',
  figures: {
    'per key': { unit: 'B', better: 'less' },
    'in go-ds-crdt': { unit: 'x', better: 'less', target: 0.5, rival: 'go-ds-crdt' },
    'go-ds-crdt': { unit: 'B', better: 'less', rival: 'go-ds-crdt' }
  },
  // Nothing in it depends on time but which files were compacted by then.
  runs: { full: 3, quick: 1 },
  warmUps: 0,
  async prepare(scope) {
    const count = scope.options.quick ? KEYS.quick : KEYS.full
    const theirs = await ofGo(scope, 'disk', async (inner) => {
      const { peer, folder } = await startGoPeer(inner, 'disk')
      await peer.call('puts', { prefix: 'disk', from: 0, count })
      await peer.call('close')
      return (await folderBytes(folder)) / count
    })
    return async (run) => {
      const folder = await run.folder()
      await writeHistory({ folder, topic: 'disk', prefix: 'disk', count })
      const ours = (await folderBytes(folder)) / count
      check(ours > 100, 'The values alone are larger')
      return { 'per key': ours, ...(theirs && { 'in go-ds-crdt': ours / theirs, 'go-ds-crdt': theirs }) }
    }
  }
}
