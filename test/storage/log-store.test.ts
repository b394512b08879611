// The log of applied nodes: found by id and by sequence number, read in both directions in hands of bounded size.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { blockIdOf } from '../../src/codec/block-id.ts'
import { type DagNode, decodeNode } from '../../src/codec/node.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { Layout } from '../../src/storage/keys.ts'
import { type BlockSource, LogStore } from '../../src/storage/log-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { CountingDatastore } from './counting-datastore.ts'
import { remoteNode } from './remote-peer.ts'

const layout = new Layout('/crdt')

async function newNode(sequence: number, bytes = 10): Promise<DagNode> {
  const elements = [{ key: '/k', value: new Uint8Array(bytes).fill(sequence) }]
  const node = await remoteNode({ priority: BigInt(sequence), elements })
  return decodeNode(node.id, node.bytes)
}

/** A log with these nodes, from sequence number 1 on, and another over the same rows whose cache is empty. */
async function logOf(
  nodes: DagNode[],
  blocks?: BlockSource
): Promise<{ log: LogStore; datastore: CountingDatastore }> {
  const datastore = new CountingDatastore()
  const rows = rowStoreOver(datastore, { durability: 'process' })
  const log = new LogStore(rows, layout, blocks)
  const changes = new ChangeSet()
  for (const [index, node] of nodes.entries()) {
    log.write(
      node,
      { sequence: index + 1, priority: node.delta.priority, dagName: '', origin: 'local' },
      changes
    )
  }
  await log.putBlocks(nodes)
  await rows.write(changes.rows)
  datastore.reset()
  return { log: new LogStore(rows, layout, blocks), datastore }
}

async function sequences(entries: AsyncIterable<{ sequence: number }>): Promise<number[]> {
  const read: number[] = []
  for await (const { sequence } of entries) read.push(sequence)
  return read
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('a node is found by its id and by its sequence number', async () => {
  const nodes = await Promise.all(range(1, 3).map((number) => newNode(number)))
  const { log } = await logOf(nodes)
  const [, second] = nodes
  expect(await log.applied(second!.id)).toEqual({ sequence: 2, priority: 2n, dagName: '', origin: 'local' })
  expect(await log.block(second!.id)).toEqual(second!.bytes)
  expect(await log.at(2)).toEqual({ sequence: 2, id: second!.id, bytes: second!.bytes })
  const other = await newNode(9)
  expect(await log.applied(other.id)).toBeUndefined()
  expect(await log.block(other.id)).toBeUndefined()
  expect(await log.at(4)).toBeUndefined()
})

test('many are asked for in order, each at most once', async () => {
  const nodes = await Promise.all(range(1, 5).map((number) => newNode(number)))
  const { log, datastore } = await logOf(nodes)
  const missing = (await newNode(9)).id
  const ids = [nodes[3]!.id, missing, nodes[0]!.id]
  expect((await log.appliedMany(ids)).map((row) => row?.sequence)).toEqual([4, undefined, 1])
  expect(datastore.gets).toBe(3)
  expect((await log.appliedMany(ids)).map((row) => row?.sequence)).toEqual([4, undefined, 1])
  expect(datastore.gets, 'what is known to be applied stays so').toBe(4)
  expect(log.recent(nodes[0]!.id)?.sequence).toBe(1)
  expect(log.recent(nodes[1]!.id)).toBeUndefined()
})

test('is read from one number to another in either direction', async () => {
  const nodes = await Promise.all(range(1, 150).map((number) => newNode(number)))
  const { log } = await logOf(nodes)
  for (const [from, to] of [
    [1, 150],
    [1, 1],
    [60, 70],
    [64, 129],
    [150, 150]
  ] as const) {
    expect(await sequences(log.read(from, to))).toEqual(range(from, to))
    expect(await sequences(log.readBackwards(from, to))).toEqual(range(from, to).reverse())
  }
  expect(await sequences(log.read(151, 150))).toEqual([])
  expect(await sequences(log.readBackwards(5, 4))).toEqual([])
  expect(await sequences(log.read(149, 400)), 'numbers that were not given yet').toEqual([149, 150])
})

test('holes that purging left are passed over', async () => {
  const nodes = await Promise.all(range(1, 200).map((number) => newNode(number)))
  const { log, datastore } = await logOf(nodes)

  for (const sequence of range(10, 180)) await datastore.delete(new Key(layout.log(sequence)))
  expect(await sequences(log.read(1, 200))).toEqual([...range(1, 9), ...range(181, 200)])
  expect(await sequences(log.readBackwards(1, 200))).toEqual([...range(1, 9), ...range(181, 200)].reverse())
})

test('a reader that leaves early has read one hand, and large blocks make small hands', async () => {
  const nodes = await Promise.all(range(1, 140).map((number) => newNode(number, number <= 64 ? 10 : 300_000)))
  const { log, datastore } = await logOf(nodes)
  for await (const { sequence } of log.read(1, 140)) if (sequence === 1) break
  expect(datastore.gets).toBe(64)
  datastore.reset()
  for await (const { sequence } of log.readBackwards(1, 140)) if (sequence === 70) break
  // The first hand is read before the size of its blocks is known; those after it have about a megabyte.
  expect(datastore.gets).toBeLessThanOrEqual(64 + 9)
})

test('blocks that live elsewhere are put there and read from there', async () => {
  const blocks = new Map<string, Uint8Array>()
  const source: BlockSource = {
    get: async (id) => blocks.get(id),
    put: async (id, bytes) => void blocks.set(id, bytes)
  }
  const node = await newNode(1)
  const { log, datastore } = await logOf([node], source)
  expect(blocks.get(node.id)).toEqual(node.bytes)
  for await (const { value } of datastore.query({ prefix: layout.log(1) }))
    expect(value.length).toBeLessThan(40)
  expect(await log.block(node.id)).toEqual(node.bytes)
  blocks.clear()
  await expect(log.at(1)).rejects.toMatchObject({
    name: 'CorruptRowError',
    message: expect.stringContaining('gone from the blockstore')
  })
})

test('a cache that forgets reads the row again', async () => {
  const datastore = new MemoryDatastore()
  const rows = rowStoreOver(datastore, { durability: 'process' })
  const log = new LogStore(rows, layout)
  const node = await newNode(1)
  log.adopt(node.id, { sequence: 1, priority: 1n, dagName: 'x', origin: 'remote' })
  expect(log.recent(node.id)).toEqual({ sequence: 1, priority: 1n, dagName: 'x', origin: 'remote' })
  const ids = range(0, 255).flatMap((high) => range(0, 79).map((low) => blockIdOf(Uint8Array.of(high, low))))
  for (const id of await Promise.all(ids))
    log.adopt(id, { sequence: 2, priority: 2n, dagName: '', origin: 'local' })
  expect(log.recent(node.id)).toBeUndefined()
})
