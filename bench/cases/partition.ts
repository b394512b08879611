/**
 * Two peers with a long common history are apart, write ten deltas each, and meet again.
 *
 * They meet through a proxy that counts every byte of the TCP payload, the handshakes of libp2p included.
 */
import { cp } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { startPeer } from '../peer/process.ts'
import { startProxy } from '../proxy.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = { full: 100_000, quick: 5000 }
const DELTAS_EACH = 10
const TOPIC = 'partition'
const WITHIN_MS = 60_000
/** What is still said after both have everything belongs to the price. */
const SETTLE_MS = 1000

export const partition: Benchmark = {
  name: 'partition',
  about: 'peers with 100,000 common deltas (quick: 5,000) and 10 new ones each meet again',
  figures: {
    time: { unit: 'ms', better: 'less', target: 200, isOfFullSize: true },
    bytes: { unit: 'KB', better: 'less', target: 100, isOfFullSize: true }
  },
  runs: { full: 7, quick: 3 },
  async prepare(scope) {
    const count = scope.options.quick ? DELTAS.quick : DELTAS.full
    const folders = { alice: await scope.folder(), bob: await scope.folder() }
    await writeHistory({ folder: folders.alice, topic: TOPIC, prefix: 'common', count })
    await cp(folders.alice, folders.bob, { recursive: true })
    const { peer: alice, address } = await startPeer(scope, {
      role: 'alice',
      folder: folders.alice,
      topic: TOPIC
    })
    const { peer: bob } = await startPeer(scope, { role: 'bob', folder: folders.bob, topic: TOPIC })
    const proxy = await startProxy(scope, address)
    let runs = 0
    return async () => {
      runs += 1
      await alice.call('write', { prefix: `alice-${runs}`, count: DELTAS_EACH, pauseMs: 0 })
      await bob.call('write', { prefix: `bob-${runs}`, count: DELTAS_EACH, pauseMs: 0 })
      const total = count + runs * 2 * DELTAS_EACH
      const goal = { keys: total, withinMs: WITHIN_MS }
      const before = proxy.bytes()
      const reaching = Promise.all([alice.call('reached', goal), bob.call('reached', goal)])
      const startedAt = await bob.call('dial', proxy.address)
      const [first, second] = await reaching
      await sleep(SETTLE_MS)
      const bytes = proxy.bytes() - before
      await bob.call('hangUp')
      await checkAgreement(alice, bob, { nodes: total, keys: total })
      return { time: millisecondsBetween(startedAt, first > second ? first : second), bytes: bytes / 1000 }
    }
  }
}
