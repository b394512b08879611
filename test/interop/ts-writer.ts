/**
 * The TypeScript peer that gets killed: writes as fast as it can, and says what was acknowledged.
 *
 * Invariant: a line is written to the pipe before anything else happens, so that a put whose line never came may or may
 * not be there, and one whose line came has to be.
 */
import { Key } from 'interface-datastore'
import { startTsPeer } from './ts-peer.ts'

const [folder, topic, address, prefix] = process.argv.slice(2) as [string, string, string, string]

const peer = await startTsPeer({ name: 'writer', topic, folder, rebroadcastIntervalMs: 200, coalesce: false })
await peer.connect(address)
for (let index = 0; ; index++) {
  const batch = peer.store.batch()
  batch.put(new Key(`${prefix}/${index}`), new TextEncoder().encode(`${index}`))
  batch.put(new Key(`${prefix}/last`), new TextEncoder().encode(`${index}`))
  await batch.commit()
  process.stdout.write(`${index}\n`)
  // Go fetches fifty deltas in a second at most, and is to have some of them before the end.
  await new Promise((resolve) => setTimeout(resolve, 5))
}
