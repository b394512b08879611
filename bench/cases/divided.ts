/**
 * A fresh peer, and one, two and three peers that have the same history, each behind a proxy that lets little through:
 * several peers are to bring it faster than one of them can send it.
 */
import { cp } from 'node:fs/promises'
import type { Benchmark } from '../benchmark.ts'
import { checkAgreement, millisecondsBetween } from '../peer/agreement.ts'
import { type PeerProcess, startPeer } from '../peer/process.ts'
import { startProxy } from '../proxy.ts'
import type { Scope } from '../scope.ts'
import { writeHistory } from '../stores.ts'

const DELTAS = { full: 14_000, quick: 9000 }
/** What each peer can send. */
const BYTES_PER_SECOND = { full: 500_000, quick: 1_000_000 }
const TOPIC = 'divided'
const WITHIN_MS = 60_000

export const divided: Benchmark = {
  name: 'divided',
  about:
    'a fresh peer catches up with 14,000 deltas (quick: 9,000) from 1, 2 and 3 peers that send 0.5 MB/s each (quick: 1 MB/s)',
  figures: {
    'one peer': { unit: 'ms', better: 'less' },
    'two peers': { unit: 'x', better: 'more', bar: 1.5, isOfFullSize: true },
    'three peers': { unit: 'x', better: 'more' }
  },
  runs: { full: 2, quick: 1 },
  warmUps: 0,
  async prepare(scope) {
    const count = scope.options.quick ? DELTAS.quick : DELTAS.full
    const folder = await scope.folder()
    await writeHistory({ folder, topic: TOPIC, prefix: TOPIC, count })
    const servers: Server[] = []
    for (let index = 0; index < 3; index++) {
      const own = await scope.folder()
      await cp(folder, own, { recursive: true })
      servers.push(await startPeer(scope, { role: `server ${index + 1}`, folder: own, topic: TOPIC }))
    }
    return async (run) => {
      const times: number[] = []
      for (let peers = 1; peers <= servers.length; peers++) {
        times.push(await catchUp(run, servers.slice(0, peers), count))
      }
      const [one = 0, two = 0, three = 0] = times
      return { 'one peer': one, 'two peers': one / two, 'three peers': one / three }
    }
  }
}

interface Server {
  peer: PeerProcess
  address: string
}

/** How long a fresh peer takes, in milliseconds. */
async function catchUp(run: Scope, servers: readonly Server[], count: number): Promise<number> {
  const [first] = servers as [Server]
  const bytesPerSecond = run.options.quick ? BYTES_PER_SECOND.quick : BYTES_PER_SECOND.full
  const { digest } = await first.peer.call('state')
  const { peer: reader } = await startPeer(run, { role: 'reader', folder: await run.folder(), topic: TOPIC })
  const proxies = []
  for (const { address } of servers) {
    proxies.push(await startProxy(run, address, { bytesPerSecond }))
  }
  const dials = await Promise.all(proxies.map(({ address }) => reader.call('dial', address)))
  const endedAt = await reader.call('reached', { digest, withinMs: WITHIN_MS })
  await checkAgreement(first.peer, reader, { nodes: count, keys: count })
  await reader.end()
  return millisecondsBetween(
    dials.reduce((a, b) => (a < b ? a : b)),
    endedAt
  )
}
