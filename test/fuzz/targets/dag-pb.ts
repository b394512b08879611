// dag-pb blocks and the CIDs in their links, against the oracle's decoder.
import { decodeDagPb, encodeDagPb } from '../../../src/codec/dag-pb.ts'
import { decodeNode } from '../../../src/testkit/oracle/block.ts'
import { goldenBlocks } from '../../codec/golden.ts'
import { linkTargets } from '../../codec/hostile-bytes.ts'
import { block as blockOf, cidV0, cidV1, hex, join, link } from '../../codec/wire-bytes.ts'
import { block } from '../structured.ts'
import { demandBounded, demandSame, few, type Target } from '../target.ts'

export const dagPbTarget: Target = {
  name: 'dag-pb',
  weight: 12,
  seeds: () => [...goldenBlocks, blockOf([], linkTargets), ...linksOfEveryKind()],
  generate: block,
  run(input) {
    const found = decodeDagPb(input)
    const expected = decodeNode(input)
    if (found === undefined) {
      demandSame(expected.links, [], 'The links and those of the oracle')
      demandSame(expected.delta, undefined, 'The delta and that of the oracle')
      return 'none'
    }
    const { data, links, foreignLinks } = found
    demandSame(links, expected.links, 'The links and those of the oracle')
    demandBounded(found, input, 16)
    const again = decodeDagPb(encodeDagPb(data, links))
    demandSame(again, { data, links, foreignLinks: 0 }, 'The block and the block written again')
    return `${few(links.length)} ${few(foreignLinks)} ${few(data.length)} ${expected.delta === undefined}`
  }
}

function linksOfEveryKind(): Uint8Array[] {
  const [target] = linkTargets
  return [cidV0(target!), cidV1(target!, 0x55), join(hex('01 70 13 20'), cidV0(target!).subarray(2))].map(
    link
  )
}
