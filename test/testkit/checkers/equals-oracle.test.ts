// The check holds a replica to the oracle also where a peer spells things in a way of its own.
import { expect, test } from 'vitest'
import { encodeBroadcast } from '../../../src/codec/broadcast.ts'
import { checkEqualsOracle } from '../../../src/testkit/checkers/equals-oracle.ts'
import { blockId } from '../../../src/testkit/oracle/oracle.ts'
import { World } from '../../../src/testkit/world.ts'
import { block, put, requires, tombstone } from '../../codec/wire-bytes.ts'

const first = block([put('/k', 'old')])

test.each([
  ['a tombstone that names its block without a slash', [tombstone('/k', blockId(first).slice(1))]],
  ['a tombstone that names no block', [put('/k'), tombstone('/k', 'nothing')]],
  [
    'nothing but a tombstone that names no block',
    [tombstone('/k', 'nothing'), tombstone('/l', blockId(first))]
  ],
  ['a tombstone that waits for a feature', [requires(7), put('/k'), tombstone('/k', blockId(first))]]
])('%s', async (_name, delta) => {
  const world = new World({ seed: 1 })
  const alice = await world.replica('alice')
  const node = world.network.join('mallory')
  await world.advance(1000)
  for (const bytes of [first, block(delta)]) {
    await node.pubsub.publish(
      world.topic,
      encodeBroadcast([{ id: blockId(bytes), dagName: '', block: bytes }])
    )
    await world.advance(1000)
  }
  expect((await alice.store.stats()).nodes).toBe(2)
  await world.run(checkEqualsOracle(alice))
  await world.close()
})
