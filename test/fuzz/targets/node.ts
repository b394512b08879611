// Blocks as nodes: whatever the bytes, a node that says what the oracle says of it.
import { canonicalKey as canonicalBySource } from '../../../src/codec/key.ts'
import { decodeNode, encodeNode } from '../../../src/codec/node.ts'
import { type Delta, decodeNode as decodeByOracle } from '../../../src/testkit/oracle/block.ts'
import * as oracle from '../../../src/testkit/oracle/oracle.ts'
import { goldenBlocks } from '../../codec/golden.ts'
import { block } from '../structured.ts'
import { demandBounded, demandSame, few, type Target } from '../target.ts'

export const nodeTarget: Target = {
  name: 'node',
  weight: 16,
  seeds: () => goldenBlocks,
  generate: block,
  run(input) {
    const id = oracle.blockId(input)
    const node = decodeNode(id, input)
    const { links, delta, oddity, foreignLinks } = node
    const expected = decodeByOracle(input)
    demandSame(links, [...new Set(expected.links)], 'The links and those of the oracle')
    demandSame(delta, effectsOf(expected.delta), 'The effects and those of the oracle')
    demandSame(oddity !== undefined, expected.delta === undefined, 'The oddity and that of the oracle')
    demandBounded(delta, input, 128)
    for (const { key } of delta.elements)
      demandSame(canonicalBySource(key), key, 'A key and its canonical form')
    const again = decodeNode(id, encodeNode(delta, links))
    demandSame(again.delta, delta, 'The effects and those of the node written again')
    demandSame(again.links, links, 'The links and those of the node written again')
    const { elements, tombstones, requires } = delta
    return [
      oddity ?? 'node',
      ...[links.length, foreignLinks, elements.length, tombstones.length, requires.length].map(few)
    ].join(' ')
  }
}

/** What the oracle makes of a delta on its own: canonical keys, the last of each, ids that can be. */
function effectsOf(delta: Delta | undefined) {
  if (delta === undefined) return { elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] }
  const elements = new Map<string, object>()
  for (const { key: sent, value } of delta.elements) {
    const key = oracle.canonicalKey(sent)
    if (key !== undefined) elements.set(key, { key, value })
  }
  const tombstones = new Map<string, object>()
  for (const { key: sent, id: sentId } of delta.tombstones) {
    const key = oracle.canonicalKey(sent)
    const id = oracle.tombstoneId(sentId)
    if (key !== undefined && id !== undefined) tombstones.set(JSON.stringify([id, key]), { key, id })
  }
  return {
    ...{ elements: [...elements.values()], tombstones: [...tombstones.values()] },
    ...{ priority: delta.priority, dagName: delta.dagName },
    requires: delta.requires.map((feature) => Number(BigInt.asUintN(32, feature)))
  }
}
