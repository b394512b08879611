// Blocks in a blockstore of the app's own.
import { expect, test } from 'vitest'
import { blockIdOf } from '../../src/codec/block-id.ts'
import { encodeNode } from '../../src/codec/node.ts'
import { blockSourceOver } from '../../src/dag/blockstore.ts'

test.each([
  ['bytes', (bytes: Uint8Array) => bytes],
  ['Buffers', (bytes: Uint8Array) => Buffer.from(bytes)]
])('a blockstore is given %s that share their buffer with nothing, to keep or to clone', async (_, as) => {
  const blocks: Uint8Array[] = []
  const source = blockSourceOver({
    get: () => blocks[0] as Uint8Array,
    put: (_, bytes) => void blocks.push(bytes)
  })
  for (const priority of [1n, 2n]) {
    const bytes = encodeNode({ elements: [], tombstones: [], priority, dagName: '', requires: [] }, [])
    await source.put(await blockIdOf(bytes), as(bytes))
    expect(blocks.at(-1)).toEqual(bytes)
  }
  expect(blocks.map(({ buffer }) => buffer.byteLength)).toEqual(blocks.map(({ length }) => length))
})
