/**
 * Two peers that wrote a thousand deltas each without knowing of each other meet.
 */
import { cp } from 'node:fs/promises'
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = 1000
const TOPIC = 'meet'
const WITHIN_MS = 60_000

export const meet: Benchmark<'time'> = {
  name: 'meet',
  about: 'two peers with 1,000 deltas each meet: from the dial until both have all',
  figures: { time: { unit: 'ms', better: 'less', target: 500 } },
  runs: { full: 7, quick: 3 },
  async prepare(scope) {
    const histories = { alice: await scope.folder(), bob: await scope.folder() }
    for (const [prefix, folder] of Object.entries(histories)) {
      await writeHistory({ folder, topic: TOPIC, prefix, count: DELTAS })
    }
    return async (run) => {
      const folders = { alice: await run.folder(), bob: await run.folder() }
      await cp(histories.alice, folders.alice, { recursive: true })
      await cp(histories.bob, folders.bob, { recursive: true })
      const { peer: alice, address } = await startPeer(run, {
        role: 'alice',
        folder: folders.alice,
        topic: TOPIC
      })
      const { peer: bob } = await startPeer(run, { role: 'bob', folder: folders.bob, topic: TOPIC })
      const goal = { keys: 2 * DELTAS, withinMs: WITHIN_MS }
      const reaching = Promise.all([alice.call('reached', goal), bob.call('reached', goal)])
      const startedAt = await bob.call('dial', address)
      const [first, second] = await reaching
      await checkAgreement(alice, bob, { nodes: 2 * DELTAS, keys: 2 * DELTAS })
      return { time: millisecondsBetween(startedAt, first > second ? first : second) }
    }
  }
}
