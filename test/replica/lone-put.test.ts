// The straight path of a put that waits alone, held against the funnel: the same rows, the same memory, the same told.
import { MemoryDatastore } from 'datastore-core'
import fc from 'fast-check'
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { decodeNode } from '../../src/codec/node.ts'
import type { Operation } from '../../src/crdt/delta.ts'
import { PRIORITY_MAX } from '../../src/crdt/merkle-clock.ts'
import { LonePuts } from '../../src/replica/lone-put.ts'
import { CommitDraft } from '../../src/replica/merge.ts'
import { Publisher } from '../../src/replica/publish.ts'
import type { Committed } from '../../src/replica/staged-commit.ts'
import type { WriteUnit } from '../../src/replica/write-queue.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import {
  bytesField,
  cidV1,
  dagName,
  put as element,
  join,
  link,
  priority,
  tombstone,
  utf8
} from '../codec/wire-bytes.ts'
import { anyDag, anyDelivery, divided, ordered } from '../crdt/dags.ts'
import { DraftReplica } from '../crdt/draft-replica.ts'
import { DATASTORES, openStore } from '../storage/open-store.ts'
import { rawRows } from '../storage/store-check.ts'

const LIMITS = { deltaBytesMax: 1024 * 1024, linksMax: 3 }

const putting = (key: string, value: string, dagName = ''): WriteUnit => ({
  operations: [{ type: 'put', key, value: utf8(value) }],
  dagName
})

function straight(replica: DraftReplica, unit: WriteUnit): Promise<Committed | undefined> | undefined {
  return new LonePuts(replica.stores, replica.state, LIMITS).commit(unit)
}

async function byFunnel({ stores, state }: DraftReplica, unit: WriteUnit): Promise<Committed> {
  const draft = new CommitDraft(stores, state, 'local')
  await new Publisher(draft, state, LIMITS, unit.dagName).publish([unit], true)
  return await draft.commit()
}

/** All that a replica holds, on disk and in memory. */
async function held({ datastore, stores, state }: DraftReplica, ids: readonly string[]): Promise<object> {
  return {
    rows: [...(await rawRows(datastore))].sort(([a], [b]) => (a < b ? -1 : 1)),
    heads: stores.heads.list(),
    headCount: stores.heads.count,
    recent: ids.map((id) => {
      const row = stores.log.recent(id)
      return (
        row && { sequence: row.sequence, priority: row.priority, dagName: row.dagName, origin: row.origin }
      )
    }),
    state: state.committed,
    clock: state.clock
  }
}

/** Puts on both ways, where the straight one takes it. @returns whether it did. */
async function putOnBoth(one: DraftReplica, other: DraftReplica, unit: WriteUnit): Promise<boolean> {
  const lone = await straight(one, unit)
  const expected = await byFunnel(other, unit)
  if (lone === undefined) expect(await byFunnel(one, unit)).toEqual(expected)
  else expect(lone).toEqual(expected)
  return lone !== undefined
}

const anyPut = fc.record({
  key: fc.constantFrom('/k', '/k/l', '/kl', '/Schlüssel'),
  value: fc.constantFrom('', 'a', 'aa', 'b'),
  dag: fc.constantFrom('', '', '', 'red')
})

describe('whatever was merged before', () => {
  test('a lone put writes, remembers and tells what the funnel would', { timeout: 30_000 }, async () => {
    let taken = 0
    let left = 0
    await fc.assert(
      fc.asyncProperty(
        anyDag,
        anyDelivery(),
        fc.array(anyPut, { minLength: 9, maxLength: 9 }),
        async (blocks, { ranks, cuts, restarts }, puts) => {
          let [one, other] = [await DraftReplica.open(), await DraftReplica.open()]
          const commits = [[], [], ...divided(ordered(blocks, ranks), cuts)]
          for (const [index, { key, value, dag }] of puts.entries()) {
            const commit = commits[index] ?? []
            await one.merge(commit)
            await other.merge(commit)
            if (await putOnBoth(one, other, putting(key, value, dag))) taken++
            else left++
            const ids = (await other.blocks()).map(blockId)
            expect(await held(one, ids)).toEqual(await held(other, ids))
            if (restarts[index % restarts.length])
              [one, other] = [await one.reopened(), await other.reopened()]
          }
        }
      ),
      { numRuns: 60 }
    )
    // Otherwise nothing was compared.
    expect(taken).toBeGreaterThan(2 * 60)
    expect(left).toBeGreaterThan(10)
  })

  test.each(DATASTORES)('a store over $name has the same rows either way', async ({ open }) => {
    const [lone, published] = [await open(), await open()]
    const [one, other] = [await openStore({ datastore: lone }), await openStore({ datastore: published })]
    for (let index = 0; index < 40; index++) {
      const [key, value] = [new Key(`/k/${index % 7}`), utf8(`${index}`)]
      const options = { dagName: index % 5 === 4 ? 'red' : '' }
      await one.put(key, value, options)
      await other.dag.publish({ elements: [{ key, value }] }, options)
    }
    expect(await rawRows(lone)).toEqual(await rawRows(published))
  })
})

/** A block that was never merged: a put of `key` on top of nothing. */
const orphan = (key: string, at: bigint, ...links: Uint8Array[]): Uint8Array =>
  join(...links.map((parent) => link(cidV1(parent))), bytesField(1, join(element(key), priority(at))))

describe('it is left to the funnel', () => {
  const left: Record<string, (replica: DraftReplica) => Promise<WriteUnit>> = {
    'where it is no put': async (replica) => {
      await replica.write(putting('/k', '1').operations)
      return { operations: [{ type: 'delete', key: '/k' }], dagName: '' }
    },
    'where it is two': async () => {
      const operations: Operation[] = ['/a', '/b'].map((key) => ({ type: 'put', key, value: utf8('1') }))
      return { operations, dagName: '' }
    },
    'at the end of the clock, where it could not outrank what is there': async (replica) => {
      await replica.merge([orphan('/k', PRIORITY_MAX)])
      return putting('/k', '')
    },
    'where there are more heads than it may link to': async (replica) => {
      await replica.merge([1n, 2n, 3n, 4n].map((at) => orphan(`/${at}`, at)))
      return putting('/k', '1')
    },
    'where the heads do not fit into the state row': async (replica) => {
      await replica.merge(Array.from({ length: 16 }, (_, at) => orphan(`/${at}`, BigInt(at + 1))))
      return putting('/k', '1', 'red')
    },
    'where a head is not at hand, so that it may be a gap': async (replica) => {
      await replica.merge([orphan('/k', 1n)])
      replica.stores.log.forget()
      return putting('/k', '1')
    }
  }
  for (const [when, prepare] of Object.entries(left)) {
    test(when, async () => {
      const replica = await DraftReplica.open()
      const unit = await prepare(replica)
      const before = await held(replica, [])
      expect(await straight(replica, unit)).toBeUndefined()
      expect(await held(replica, [])).toEqual(before)
      await byFunnel(replica, unit)
    })
  }

  // A replica that comes back with an old disk writes the very node again that others have seen.
  const unit = putting('/k', '1')

  async function writtenElsewhere(): Promise<Uint8Array> {
    const { nodes } = await byFunnel(await DraftReplica.open(), unit)
    return nodes[0]!.bytes
  }

  /** Puts on a replica that was told of the put before by a block of another DAG. */
  async function putAfter(told: Uint8Array): Promise<DraftReplica> {
    const replica = await DraftReplica.open()
    await replica.merge([told])
    expect(await straight(replica, unit)).toBeUndefined()
    const { nodes } = await byFunnel(replica, unit)
    expect(nodes[0]!.id).toBe(blockId(await writtenElsewhere()))
    return replica
  }

  test('where a tombstone of it came before it', async () => {
    const removes = tombstone('/k', blockId(await writtenElsewhere()))
    const replica = await putAfter(bytesField(1, join(removes, dagName('red'))))
    expect(await replica.value('/k')).toBeUndefined()
  })

  test('where a node that links to it came before it', async () => {
    const above = link(cidV1(await writtenElsewhere()))
    const replica = await putAfter(join(above, bytesField(1, join(element('/l'), dagName('red')))))
    expect((await replica.shown()).gaps).toEqual([])
  })

  test('where blocks live in a blockstore', async () => {
    const blocks = new Map<string, Uint8Array>()
    const blockstore = {
      get: (cid: { toString(): string }) => blocks.get(cid.toString())!,
      put: (cid: { toString(): string }, bytes: Uint8Array) => void blocks.set(cid.toString(), bytes)
    }
    const store = await openStore({ datastore: new MemoryDatastore(), blockstore })
    await store.put(new Key('/k'), utf8('1'))
    const [bytes] = [...blocks.values()]
    expect(decodeNode('/', bytes!).delta.elements).toEqual([{ key: '/k', value: utf8('1') }])
  })
})
