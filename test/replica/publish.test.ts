// The local path: from what callers ask for to nodes, with what is alive, the limits, and the end of the clock.
import { MemoryDatastore } from 'datastore-core'
import { describe, expect, test } from 'vitest'
import { encodeDelta } from '../../src/codec/delta.ts'
import type { DagNode } from '../../src/codec/node.ts'
import type { Operation } from '../../src/crdt/delta.ts'
import { CommitDraft } from '../../src/replica/merge.ts'
import { elementFits, Publisher, type PublishLimits } from '../../src/replica/publish.ts'
import type { MergeStores } from '../../src/replica/staged-commit.ts'
import { ReplicaState } from '../../src/replica/state.ts'
import { atomicCommitter } from '../../src/storage/commit.ts'
import { GapStore } from '../../src/storage/gap-store.ts'
import { HeadsStore } from '../../src/storage/heads-store.ts'
import { Layout } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { SetStore } from '../../src/storage/set-store.ts'

const GREATEST = 2n ** 64n - 1n
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value: string | number): Operation => ({
  type: 'put',
  key,
  value: typeof value === 'string' ? encode(value) : new Uint8Array(value)
})
const remove = (key: string): Operation => ({ type: 'delete', key })

/** A replica that only writes. */
class LocalReplica {
  readonly state: ReplicaState
  readonly #stores: MergeStores
  readonly #limits: PublishLimits

  constructor(limits: Partial<PublishLimits> = {}) {
    const layout = new Layout('/crdt')
    const rows = rowStoreOver(new MemoryDatastore(), { durability: 'process', atomicBatch: true })
    this.#stores = {
      ...{ layout, rows, committer: atomicCommitter(rows), log: new LogStore(rows, layout) },
      ...{ sets: new SetStore(rows, layout), heads: new HeadsStore(layout), gaps: new GapStore(rows, layout) }
    }
    this.state = ReplicaState.load(layout.state, undefined)
    this.#limits = { deltaBytesMax: 1024, linksMax: 1024, ...limits }
  }

  /** Publishes units in one commit. */
  async publish(units: Operation[][], { share = true, dagName = '' } = {}): Promise<DagNode[]> {
    const draft = new CommitDraft(this.#stores, this.state, 'local')
    const publisher = new Publisher(draft, this.state, this.#limits, dagName)
    await publisher.publish(
      units.map((operations) => ({ operations, dagName })),
      share
    )
    return (await draft.commit()).nodes
  }

  async value(key: string): Promise<string | undefined> {
    const value = await this.#stores.sets.value(key)
    return value === undefined ? undefined : new TextDecoder().decode(value)
  }
}

const keysOf = ({ delta }: DagNode): string[] => delta.elements.map(({ key }) => key)

describe('units that wait together', () => {
  test('share a delta as far as they fit', async () => {
    const replica = new LocalReplica()
    const nodes = await replica.publish([
      [put('/a', 400)],
      [put('/b', 400)],
      [put('/c', 400)],
      [put('/d', 10)]
    ])
    expect(nodes.map(keysOf)).toEqual([
      ['/a', '/b'],
      ['/c', '/d']
    ])
  })

  test('have a node each where they must not share', async () => {
    const replica = new LocalReplica()
    const nodes = await replica.publish([[put('/a', 1)], [put('/b', 1)]], { share: false })
    expect(nodes.map(keysOf)).toEqual([['/a'], ['/b']])
  })

  test('are not divided where one would fit into a delta, also after deletes of what was just written', async () => {
    const replica = new LocalReplica()
    const nodes = await replica.publish([
      [put('/k', 600)],
      [put('/x', 450), remove('/k')],
      [put('/y1', 240), put('/y2', 240)]
    ])
    expect(nodes.map(keysOf)).toEqual([['/k'], ['/x'], ['/y1', '/y2']])
    expect(nodes[1]?.delta.tombstones).toEqual([{ key: '/k', id: nodes[0]?.id }])
    for (const { delta } of nodes) expect(encodeDelta(delta).length).toBeLessThanOrEqual(1024)
  })

  test('of one key become one element, that of the last call', async () => {
    const replica = new LocalReplica()
    await replica.publish([[put('/k', 'old')]])
    const [node, ...others] = await replica.publish([[remove('/k')], [put('/k', 'z')], [put('/k', 'a')]])
    expect(others).toEqual([])
    expect(node?.delta.elements).toEqual([{ key: '/k', value: encode('a') }])
    expect(node?.delta.tombstones).toHaveLength(1)
    expect(await replica.value('/k')).toBe('a')
  })

  test('that cancel each other write nothing', async () => {
    expect(await new LocalReplica().publish([[put('/k', '1')], [remove('/k')]])).toEqual([])
  })
})

describe('a unit that is too large for one delta', () => {
  test('becomes a chain of nodes, none over the limit, and shares with nobody', async () => {
    const replica = new LocalReplica()
    const large = Array.from({ length: 10 }, (_, index) => put(`/large/${index}`, 300))
    const nodes = await replica.publish([[put('/before', 10)], large, [put('/after', 10)]])
    expect(nodes.flatMap(keysOf)).toEqual(['/before', ...large.map(({ key }) => key), '/after'])
    expect(keysOf(nodes[0]!)).toEqual(['/before'])
    expect(keysOf(nodes.at(-1)!)).toEqual(['/after'])
    for (const [index, { delta, links }] of nodes.entries()) {
      expect(encodeDelta(delta).length).toBeLessThanOrEqual(1024)
      expect(links).toEqual(index === 0 ? [] : [nodes[index - 1]?.id])
      expect(delta.priority).toBe(BigInt(index + 1))
    }
  })

  test('counts the name of its DAG', async () => {
    const dagName = 'd'.repeat(200)
    const nodes = await new LocalReplica().publish(
      [Array.from({ length: 10 }, (_, index) => put(`/${index}`, 200))],
      { dagName }
    )
    for (const { delta } of nodes) {
      expect(delta.dagName).toBe(dagName)
      expect(encodeDelta(delta).length).toBeLessThanOrEqual(1024)
    }
  })

  test('may be one delete of many versions', async () => {
    const replica = new LocalReplica()
    await replica.publish(
      Array.from({ length: 50 }, () => [put('/k', '1')]),
      { share: false }
    )
    const nodes = await replica.publish([[remove('/k')]])
    expect(nodes.length).toBeGreaterThan(2)
    expect(nodes.flatMap(({ delta }) => delta.tombstones)).toHaveLength(50)
    for (const { delta } of nodes) expect(encodeDelta(delta).length).toBeLessThanOrEqual(1024)
    expect(await replica.value('/k')).toBeUndefined()
  })
})

test('elementFits says what a delta of one element takes, at the greatest priority', () => {
  for (const dagName of ['', 'side', 'ü'.repeat(60)]) {
    for (const key of ['/k', '/鍵', `/${'x'.repeat(200)}`]) {
      const sizes = Array.from({ length: 1100 }, (_, length) => length)
      const largest = sizes.findLast((length) => elementFits(key, length, dagName, 1024))
      expect(largest).toBeDefined()
      const delta = { tombstones: [], priority: GREATEST, dagName, requires: [] }
      const bytes = encodeDelta({ ...delta, elements: [{ key, value: new Uint8Array(largest!) }] })
      expect(bytes.length).toBeLessThanOrEqual(1024)
      expect(bytes.length).toBeGreaterThan(1024 - 4)
    }
  }
})

describe('links', () => {
  test('are the heads of the same DAG only', async () => {
    const replica = new LocalReplica()
    const [first] = await replica.publish([[put('/a', '1')]])
    const [side] = await replica.publish([[put('/a', '2')]], { dagName: 'side' })
    const [next] = await replica.publish([[put('/a', '3')]])
    expect(side?.links).toEqual([])
    expect(next?.links).toEqual([first?.id])
  })
})

describe('the clock', () => {
  test('gives each node one more than anything that was seen', async () => {
    for (const seen of [0n, 127n, 2n ** 32n, 2n ** 53n]) {
      const replica = new LocalReplica()
      replica.state.observe(seen)
      const nodes = await replica.publish([[put('/a', '1')], [put('/b', '1')]], { share: false })
      expect(nodes.map(({ delta }) => delta.priority)).toEqual([seen + 1n, seen + 2n])
      expect(await replica.value('/b')).toBe('1')
    }
  })

  test('stays at its end, and there a put removes what it could not outrank', async () => {
    const replica = new LocalReplica()
    await replica.publish([[put('/k', 'early')]])
    replica.state.observe(GREATEST)
    for (const value of ['zzz', 'a', '', 'b']) {
      const [node] = await replica.publish([[put('/k', value)]])
      expect(node?.delta.priority).toBe(GREATEST)
      expect(await replica.value('/k')).toBe(value)
    }
    const nodes = await replica.publish([[put('/k', 'y')], [put('/k', 'x')]], { share: false })
    expect(nodes).toHaveLength(2)
    expect(await replica.value('/k')).toBe('x')
    await replica.publish([[remove('/k')]])
    expect(await replica.value('/k')).toBeUndefined()
  })
})
