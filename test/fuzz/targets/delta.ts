// `Delta`, the protobuf message that every block holds, against the oracle's decoder.

import { decodeDagPb } from '../../../src/codec/dag-pb.ts'
import { decodeDelta, encodeDelta, type WireDelta } from '../../../src/codec/delta.ts'
import { WireError } from '../../../src/codec/wire-reader.ts'
import { decodeNode } from '../../../src/testkit/oracle/block.ts'
import { goldenBlocks } from '../../codec/golden.ts'
import { bytesField } from '../../codec/wire-bytes.ts'
import { delta } from '../structured.ts'
import { demandBounded, demandSame, few, type Target } from '../target.ts'

export const deltaTarget: Target = {
  name: 'delta',
  weight: 12,
  seeds: () => goldenBlocks.flatMap((block) => decodeDagPb(block)?.data ?? []),
  generate: delta,
  run(input) {
    const expected = decodeNode(bytesField(1, input)).delta
    const found = decode(input)
    if (typeof found === 'string') {
      demandSame(found, expected === undefined ? found : 'a delta', 'The delta and the oracle')
      return found
    }
    const { elements, tombstones, priority, dagName, requires } = found
    // A uint32 on the wire is the low half of whatever varint is there.
    const features = expected?.requires.map((feature) => Number(BigInt.asUintN(32, feature)))
    demandSame(
      { elements, tombstones, priority, dagName, requires },
      expected && { ...ofOracle(expected), requires: features },
      'The delta and the oracle'
    )
    demandBounded(found, input, 128)
    demandStable(found)
    return [
      few(elements.length),
      few(tombstones.length),
      few(requires.length),
      priority > 0xffffffffn ? 'large' : few(Number(priority)),
      dagName === '' ? '' : 'named'
    ].join(' ')
  }
}

function ofOracle({ elements, tombstones, priority, dagName }: Omit<WireDelta, 'requires'>) {
  const plain = ({ key, id, value }: WireDelta['elements'][number]) => ({ key, id, value })
  return { elements: elements.map(plain), tombstones: tombstones.map(plain), priority, dagName }
}

function decode(input: Uint8Array): WireDelta | string {
  try {
    return decodeDelta(input)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    return error.message
  }
}

/** Written again it says the same; ids of elements and values of tombstones are not written at all. */
function demandStable(delta: WireDelta): void {
  const kept = {
    ...delta,
    elements: delta.elements.map(({ key, value }) => ({ key, id: '', value })),
    tombstones: delta.tombstones.map(({ key, id }) => ({ key, id, value: new Uint8Array(0) }))
  }
  demandSame(decodeDelta(encodeDelta(kept)), kept, 'The delta and the delta written again')
}
