// Messages of gossip: heads with and without blocks, and the bare CID of old peers.
import { parseBlockId } from '../../../src/codec/block-id.ts'
import {
  announcedHeadSize,
  type Broadcast,
  decodeBroadcast,
  encodeBroadcast,
  InvalidBroadcastError
} from '../../../src/codec/broadcast.ts'
import { blockId } from '../../../src/testkit/oracle/oracle.ts'
import { goldenBlocks, goldenSequences } from '../../codec/golden.ts'
import { linkTargets } from '../../codec/hostile-bytes.ts'
import { cidV0, cidV1 } from '../../codec/wire-bytes.ts'
import { broadcast } from '../structured.ts'
import { demand, demandBounded, demandSame, few, type Target } from '../target.ts'

export const broadcastTarget: Target = {
  name: 'broadcast',
  weight: 12,
  seeds: () => [
    ...goldenSequences.flatMap(({ broadcasts }) => broadcasts),
    ...linkTargets.flatMap((target) => [cidV0(target), cidV1(target)]),
    inlined(goldenBlocks.slice(0, 1)),
    inlined(goldenBlocks.slice(0, 4))
  ],
  generate: broadcast,
  run(input) {
    const found = decode(input)
    if (found === undefined) return 'invalid'
    const { heads, invalidHeads } = found
    demand(heads.length + invalidHeads <= 1 + input.length / 2, 'There are more heads than bytes for them')
    demandBounded(heads, input, 64)
    for (const head of heads) {
      demandSame(parseBlockId(head.id), head.id, 'The id of a head and its canonical form')
      demand(encodeBroadcast([head]).length <= announcedHeadSize(head), 'A head is larger than its size says')
    }
    const again = decodeBroadcast(encodeBroadcast(heads))
    demandSame(again, { heads, invalidHeads: 0 }, 'The heads and the heads written again')
    const blocks = heads.filter(({ block }) => block !== undefined)
    const named = heads.filter(({ dagName }) => dagName !== '')
    return [heads.length, invalidHeads, blocks.length, named.length].map(few).join(' ')
  }
}

function decode(input: Uint8Array): Broadcast | undefined {
  try {
    return decodeBroadcast(input)
  } catch (error) {
    if (!(error instanceof InvalidBroadcastError)) throw error
    return undefined
  }
}

const inlined = (blocks: readonly Uint8Array[]): Uint8Array =>
  encodeBroadcast(blocks.map((block) => ({ id: blockId(block), dagName: 'red', block })))
