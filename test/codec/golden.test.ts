// The codec against what running go-ds-crdt peers wrote and sent: every block and every broadcast of the golden
// vectors is read and written again, byte for byte.
import { CID } from 'multiformats/cid'
import { describe, expect, test } from 'vitest'
import { blockIdFromCid, blockIdOf, cidFromBlockId } from '../../src/codec/block-id.ts'
import { decodeBroadcast, encodeBroadcast } from '../../src/codec/broadcast.ts'
import { decodeDagPb, encodeDagPb } from '../../src/codec/dag-pb.ts'
import { decodeDelta, encodeDelta } from '../../src/codec/delta.ts'
import { decodeNode, encodeNode } from '../../src/codec/node.ts'
import { blockCid, blockId } from '../../src/testkit/oracle/oracle.ts'
import { goldenBlocks, goldenMerges, goldenSequences } from './golden.ts'

test('the vectors are there', () => {
  expect(goldenMerges).toHaveLength(24 + 8 + 8)
  expect(goldenSequences).toHaveLength(8 + 4 + 4)
  expect(goldenBlocks.length).toBeGreaterThan(250)
})

describe('golden blocks', () => {
  test('read and written again have the same bytes, as nodes, as dag-pb and as deltas', () => {
    for (const bytes of goldenBlocks) {
      const node = decodeNode(blockId(bytes), bytes)
      expect(node.oddity).toBeUndefined()
      expect(node.foreignLinks).toBe(0)
      expect(encodeNode(node.delta, node.links)).toEqual(bytes)
      const { data = new Uint8Array(0), links = [] } = decodeDagPb(bytes) ?? {}
      expect(encodeDagPb(data, links)).toEqual(bytes)
      expect(encodeDelta(node.delta)).toEqual(data)
      expect(decodeDelta(data).priority).toBe(node.delta.priority)
    }
  })

  test('have the ids and CIDs that Go gave them', async () => {
    const named = goldenMerges.flatMap(({ blocks }) => [...blocks])
    for (const { steps } of goldenSequences) {
      for (const { block, head } of steps) if (block !== undefined) named.push([head!, block])
    }
    for (const [cid, bytes] of named) {
      const id = await blockIdOf(bytes)
      expect(id).toBe(blockId(bytes))
      expect(cidFromBlockId(id).toString()).toBe(cid)
      expect(blockIdFromCid(CID.parse(cid))).toBe(id)
    }
  })

  test('link to the nodes they were written on', () => {
    for (const { steps } of goldenSequences) {
      let parents: string[] = []
      for (const { block } of steps) {
        if (block === undefined) continue
        expect(decodeNode(blockId(block), block).links).toEqual(parents)
        parents = [blockId(block)]
      }
    }
  })
})

describe('golden broadcasts', () => {
  for (const { name, steps, broadcasts } of goldenSequences) {
    const written = steps.flatMap(({ block }) => block ?? [])

    test(`${name}: announce the head of every write, in order`, () => {
      const heads = broadcasts.flatMap((message) => {
        const decoded = decodeBroadcast(message)
        expect(decoded.invalidHeads).toBe(0)
        return decoded.heads
      })
      expect(heads).toEqual(written.map((block) => ({ id: blockId(block), dagName: '' })))
    })

    test(`${name}: are what we say of the same heads when no block is inlined`, () => {
      for (const message of broadcasts)
        expect(encodeBroadcast(decodeBroadcast(message).heads)).toEqual(message)
      expect(written.map((block) => encodeBroadcast([{ id: blockId(block), dagName: '' }]))).toEqual(
        broadcasts
      )
    })
  }

  test('name the CIDs of blocks', () => {
    const [first] = goldenSequences[0]!.broadcasts
    const block = goldenSequences[0]!.steps.find((step) => step.block !== undefined)!.block!
    expect(cidFromBlockId(decodeBroadcast(first!).heads[0]!.id).toString()).toBe(blockCid(block))
  })
})
