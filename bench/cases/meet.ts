/**
 * Two peers that wrote a thousand deltas each without knowing of each other meet.
 */
import { cp } from 'node:fs/promises'
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { goMeeting, ofGo } from '../rivals/go-peers.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = 1000
/** What go-ds-crdt's peers have each in a quick run; the time is scaled up. They take 20 ms for each delta. */
const GO_DELTAS_QUICK = 100
const TOPIC = 'meet'
const WITHIN_MS = 60_000

export const meet: Benchmark = {
  name: 'meet',
  about: 'two peers with 1,000 deltas each meet: from the dial until both have all',
  figures: {
    time: { unit: 'ms', better: 'less', target: 500 },
    'x go-ds-crdt': { unit: 'x', better: 'more', rival: 'go-ds-crdt' },
    'go-ds-crdt': { unit: 'ms', better: 'less', rival: 'go-ds-crdt' }
  },
  runs: { full: 7, quick: 3 },
  async prepare(scope) {
    const histories = { alice: await scope.folder(), bob: await scope.folder() }
    for (const [prefix, folder] of Object.entries(histories)) {
      await writeHistory({ folder, topic: TOPIC, prefix, count: DELTAS })
    }
    const goDeltas = scope.options.quick ? GO_DELTAS_QUICK : DELTAS
    const goTime = await ofGo(scope, 'meet', (inner) => goMeeting(inner, goDeltas))
    const theirs = goTime === undefined ? undefined : (goTime / goDeltas) * DELTAS
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
      const time = millisecondsBetween(startedAt, first > second ? first : second)
      return { time, ...(theirs && { 'x go-ds-crdt': theirs / time, 'go-ds-crdt': theirs }) }
    }
  }
}
