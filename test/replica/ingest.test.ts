// Ingest by itself: blocks that arrive at the same moment, that are dropped and come again, and what that leaves on
// disk and in the queue.
import { expect, test } from 'vitest'
import { decodeNode } from '../../src/codec/node.ts'
import { defaultLimits, type LimitName } from '../../src/index.ts'
import { newCounters } from '../../src/replica/counters.ts'
import { IgnoredDags } from '../../src/replica/ignored-dags.ts'
import { Ingest } from '../../src/replica/ingest.ts'
import { ReplicaState } from '../../src/replica/state.ts'
import { ChangeSet } from '../../src/storage/commit.ts'
import { Layout } from '../../src/storage/keys.ts'
import { LogStore } from '../../src/storage/log-store.ts'
import { PendingStore } from '../../src/storage/pending-store.ts'
import { rowStoreOver } from '../../src/storage/row-store.ts'
import { type Forged, forge, forgeChain } from './forge.ts'
import { AtomicMemory } from './memory.ts'

class Stage {
  readonly datastore: AtomicMemory
  readonly counters = newCounters()
  readonly wanted = new Map<string, boolean>()
  readonly remembered: string[] = []
  readonly ingest: Ingest
  readonly #log: LogStore
  readonly #state: ReplicaState

  constructor(limits: Partial<Record<LimitName, number>> = {}, datastore = new AtomicMemory()) {
    this.datastore = datastore
    const rows = rowStoreOver(datastore, { durability: 'process', atomicBatch: true })
    const layout = new Layout('/crdt')
    this.#log = new LogStore(rows, layout)
    this.#state = ReplicaState.load(layout.state, undefined)
    this.ingest = new Ingest({
      log: this.#log,
      pendingStore: new PendingStore(rows, layout),
      state: this.#state,
      limits: { ...defaultLimits, ...limits },
      counters: this.counters,
      ignored: new IgnoredDags(layout),
      dropped: () => {},
      refused: () => {},
      wake: () => {},
      want: (ids, _from, root) => {
        for (const id of ids) this.wanted.set(id, root || this.wanted.get(id) === true)
      },
      arrived: (id) => {
        const root = this.wanted.get(id) === true
        this.wanted.delete(id)
        return root
      },
      remember: (id) => void this.remembered.push(id),
      forget: (id) => void this.remembered.splice(this.remembered.indexOf(id), 1),
      unwant: (id) => {
        if (this.wanted.get(id) === false) this.wanted.delete(id)
      }
    })
  }

  /** Makes it look as if a node had been committed. */
  applied(id: string): void {
    this.#log.adopt(id, { sequence: 1, priority: 1n, dagName: '', origin: 'remote' })
  }

  /** The same before the last start: the store knows of it, and nobody else. */
  async appliedLongAgo({ id, bytes }: Forged): Promise<void> {
    const changes = new ChangeSet()
    const row = { sequence: 1, priority: 1n, dagName: '', origin: 'remote' } as const
    this.#log.write(decodeNode(id, bytes), row, changes)
    await rowStoreOver(this.datastore, { durability: 'process', atomicBatch: true }).write(changes.rows)
  }

  /** So many links of applied nodes lead to what is not applied. */
  set gaps(gaps: number) {
    const staged = this.#state.stage()
    staged.row.gaps = gaps
    this.#state.adopt(staged)
  }

  async receive(...blocks: Forged[]): Promise<void> {
    for (const { bytes } of blocks) await this.ingest.receive({ bytes, from: 'alice' }, undefined)
  }

  async head(block: Forged): Promise<void> {
    await this.headOf('alice', block)
  }

  async headOf(from: string, { id, bytes }: Forged): Promise<void> {
    await this.ingest.receive({ bytes, from }, new Set([id]), true)
  }

  /** Writes what waits, as the writer does; `meanwhile` happens while the datastore is at it. */
  async store(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
    const changes = new ChangeSet()
    const done = this.ingest.store(changes)
    await rowStoreOver(this.datastore, { durability: 'process', atomicBatch: true }).write(changes.rows)
    await meanwhile()
    done()
  }

  /** The ids of all nodes that may be applied, in order. */
  async merge(): Promise<string[]> {
    const merged: string[] = []
    for (;;) {
      const nodes = await this.ingest.next()
      if (nodes.length === 0) return merged
      for (const { id } of nodes) {
        merged.push(id)
        this.applied(id)
      }
      this.ingest.merged(nodes)
    }
  }

  /** What is wanted as a head. */
  get heads(): string[] {
    return [...this.wanted].filter(([, root]) => root).map(([id]) => id)
  }

  get rows(): string[] {
    return this.datastore.rows('/crdt/p').map((row) => row.slice('/crdt/p'.length))
  }
}

function ids(blocks: readonly Forged[]): string[] {
  return blocks.map(({ id }) => id)
}

test('a block that looks for its link at the moment when that is queued does not miss it', async () => {
  for (let turns = 0; turns < 40; turns++) {
    for (const childFirst of [true, false]) {
      const { ingest, wanted } = new Stage()
      const [parent, child] = forgeChain(2) as [Forged, Forged]
      const [first, second] = childFirst ? [child, parent] : [parent, child]
      const one = ingest.receive({ bytes: first.bytes, from: 'alice' }, undefined)
      for (let turn = 0; turn < turns; turn++) await undefined
      const other = ingest.receive({ bytes: second.bytes, from: 'bob' }, undefined)
      await Promise.all([one, other])
      const left = [ingest.pendingCount, ...wanted.keys()]
      expect(left, `${turns} turns apart, ${childFirst ? 'child' : 'parent'} first`).toEqual([0])
    }
  }
})

test('the same block twice at the same moment is one', async () => {
  for (let turns = 0; turns < 20; turns++) {
    const stage = new Stage()
    const [parent, child] = forgeChain(2) as [Forged, Forged]
    const copies = [stage.receive(child), stage.receive(child)]
    for (let turn = 0; turn < turns; turn++) await undefined
    copies.push(stage.receive(parent), stage.receive(parent))
    await Promise.all(copies)
    expect(await stage.merge()).toEqual(ids([parent, child]))
  }
})

test('a block that two peers bring at the same moment takes room in memory once', async () => {
  const stage = new Stage({ readyBytesMax: 64 * 1024 })
  const [parent] = forgeChain(1) as [Forged]
  const child = forge({ puts: { '/k': '.'.repeat(70_000) }, links: [parent], priority: 2n })
  stage.applied(parent.id)
  await Promise.all([stage.receive(child), stage.headOf('bob', child)])
  expect(stage.ingest.room()).toBeInstanceOf(Promise)
  expect(await stage.merge()).toEqual([child.id])
  expect(stage.ingest.room()).toBeUndefined()
})

/** A head over a branch that fits under its budget without it, and over one more node. */
function headOverBranch(branch: readonly Forged[], padding = 0): { head: Forged; other: Forged } {
  const other = forge({ puts: { '/other': '.'.repeat(padding) } })
  const links = [branch.at(-1) as Forged, other]
  return { other, head: forge({ puts: { '/head': '.'.repeat(padding) }, links, priority: 100n }) }
}

test('a head that is dropped over the budget and comes again keeps its row', async () => {
  for (const storeBetween of [true, false]) {
    const stage = new Stage({ pendingBlocksPerPeerMax: 16 })
    const branch = forgeChain(8)
    const { head, other } = headOverBranch(branch)
    await stage.head(head)
    await stage.store()
    expect(stage.rows).toEqual([head.id])
    await stage.receive(...branch.slice(1).reverse())
    expect(stage.ingest.holds(head.id)).toBe(false)
    expect(stage.counters.pendingEvicted).toBe(1)
    expect(stage.remembered).toEqual([head.id])
    if (storeBetween) await stage.store()
    expect(stage.wanted.get(head.id)).toBeUndefined()
    await stage.receive(branch[0] as Forged)
    await stage.merge()
    expect(stage.wanted.get(head.id)).toBe(true)
    // Dropped and back, maybe before the deletion of its row was written.
    await stage.receive(head)
    await stage.store()
    expect(stage.rows).toContain(head.id)
    await stage.receive(other)
    expect(await stage.merge()).toEqual(ids([other, head]))
  }
})

test('a head that is dropped, comes again and is merged before its row was written anew leaves no row', async () => {
  for (const whileWritten of [true, false]) {
    const stage = new Stage({ pendingBlocksPerPeerMax: 16 })
    const branch = forgeChain(8)
    const { head, other } = headOverBranch(branch)
    const dropAndComeAgain = async (): Promise<void> => {
      await stage.receive(...branch.slice(1).reverse(), branch[0] as Forged)
      expect(stage.counters.pendingEvicted).toBe(1)
      await stage.merge()
      await stage.head(head)
      expect(stage.ingest.holds(head.id)).toBe(true)
    }
    await stage.head(head)
    if (whileWritten) await stage.store(dropAndComeAgain)
    else {
      await stage.store()
      await dropAndComeAgain()
    }
    await stage.receive(other)
    expect(await stage.merge()).toEqual(ids([other, head]))
    await stage.store()
    expect(stage.rows, whileWritten ? 'dropped while it was written' : 'dropped later').toEqual([])
  }
})

test('a block that is dropped and comes again while its row is written is not lost', async () => {
  const stage = new Stage({ pendingBlocksPerPeerMax: 16, readyBytesMax: 64 * 1024 })
  const branch = forgeChain(8)
  const { head, other } = headOverBranch(branch, 60_000)
  await stage.head(head)
  await stage.store(async () => {
    await stage.receive(...branch.slice(1).reverse())
    expect(stage.ingest.holds(head.id)).toBe(false)
    await stage.receive(branch[0] as Forged)
    await stage.merge()
    await stage.receive(head)
  })
  await stage.store()
  await stage.store()
  expect(stage.rows).toContain(head.id)
  await stage.receive(other)
  expect(await stage.merge()).toEqual(ids([other, head]))
  // And its bytes were counted once: two more of that size are too much.
  await stage.receive(...forgeChain(3, { name: 'more', padding: 60_000 }).slice(1))
  let isRoom = false
  void stage.ingest.room()?.then(() => {
    isRoom = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  expect(isRoom).toBe(false)
})

test('nothing waits for a block that was dropped: what waited in the budget of another peer is dropped with it', async () => {
  const stage = new Stage({ pendingBlocksPerPeerMax: 16 })
  const chain = forgeChain(40)
  await stage.head(chain[20]!)
  for (const block of chain.slice(21, 26)) await stage.headOf('bob', block)
  await stage.receive(...chain.slice(12, 20).reverse())
  for (const block of chain.slice(20, 26)) expect(stage.ingest.holds(block.id)).toBe(false)
  expect(new Set(stage.remembered)).toEqual(new Set(ids(chain.slice(20, 26))))
  // The other peer has room, and is asked again at once.
  expect(new Set(stage.heads)).toEqual(new Set(ids(chain.slice(21, 26))))
  for (const block of chain.slice(21, 26)) await stage.headOf('bob', block)
  expect(stage.ingest.pendingCount).toBe(7 + 5)
  await stage.receive(...chain.slice(0, 12).reverse())
  await stage.merge()
  // All of them are asked for again, and everything is merged in the end.
  for (let round = 0; round < 200 && stage.wanted.size > 0; round++) {
    const [id] = stage.wanted.keys()
    await stage.receive(chain.find((block) => block.id === id) as Forged)
    await stage.merge()
  }
  expect(stage.ingest.pendingCount).toBe(0)
  expect(stage.ingest.holds(chain[25]!.id)).toBe(true)
})

test('a head that was dropped, is then wanted as an ancestor and cannot be had is not remembered any more', async () => {
  const stage = new Stage({ pendingBlocksPerPeerMax: 16 })
  const chain = forgeChain(12)
  for (const block of chain.slice(1, 10)) await stage.head(block)
  const [dropped, above] = chain.slice(9, 11) as [Forged, Forged]
  expect(stage.remembered).toEqual([dropped.id])
  await stage.headOf('bob', above)
  expect(stage.wanted.get(dropped.id)).toBe(false)
  await stage.ingest.giveUp(dropped.id)
  expect(stage.remembered).toEqual([])
  expect([...stage.ingest.unmerged()]).not.toContain(dropped.id)
})

test('what becomes a local node while the links of a waiting block are looked up is not queued', async () => {
  const parents = Array.from({ length: 1100 }, (_, i) => forge({ puts: { [`/${i}`]: '' } }))
  const wide = forge({ links: parents, priority: 2n })
  const small = forge({ links: [parents[1023]!], priority: 2n })
  for (const local of [wide, small]) {
    for (let turns = 0; turns < 40; turns++) {
      const stage = new Stage()
      for (const { id } of parents.slice(0, 1023)) stage.applied(id)
      await stage.receive(wide, small)
      // The last link of the first window comes, and the next ones are looked up.
      const last = stage.receive(parents[1023]!)
      for (let turn = 0; turn < turns; turn++) await undefined
      stage.applied(local.id)
      await stage.ingest.appliedLocally([decodeNode(local.id, local.bytes)])
      await last
      expect(await stage.merge(), `after ${turns} turns`).not.toContain(local.id)
      expect(stage.wanted.size, `after ${turns} turns`).toBe(local === wide ? 0 : 76)
    }
  }
})

test('a node that was written here as well is not applied again, and its row goes', async () => {
  const stage = new Stage()
  const [parent, child] = forgeChain(2) as [Forged, Forged]
  await stage.head(child)
  await stage.store()
  await stage.receive(parent)
  stage.applied(child.id)
  await stage.ingest.appliedLocally([decodeNode(child.id, child.bytes)])
  expect(await stage.merge()).toEqual([parent.id])
  await stage.store()
  expect(stage.rows).toEqual([])
  // Whoever waits for it as a head that is wanted is told when it comes from a peer.
  const settled = stage.ingest.settlement.wait([child.id])
  await stage.head(child)
  await settled
})

test('a node that was applied long ago and is streamed again is not applied again', async () => {
  const stage = new Stage()
  const [parent, child] = forgeChain(2) as [Forged, Forged]
  await stage.appliedLongAgo(parent)
  await stage.receive(parent, child)
  expect(stage.counters).toMatchObject({ duplicateBlocks: 1, receivedBlocks: 1 })
  expect(await stage.merge()).toEqual([child.id])
})

test('a head counts as unmerged until its commit, also while nothing is missing below it', async () => {
  const stage = new Stage()
  const [parent, child] = forgeChain(2) as [Forged, Forged]
  await stage.head(child)
  expect([...stage.ingest.unmerged()]).toEqual([child.id])
  await stage.receive(parent)
  expect([...stage.ingest.unmerged()]).toEqual([parent.id, child.id])
  await stage.merge()
  expect([...stage.ingest.unmerged()]).toEqual([])
})

test('a link that waits itself is not asked for again', async () => {
  const stage = new Stage()
  const chain = forgeChain(4)
  await stage.receive(...chain.slice(1))
  expect([...stage.wanted.keys()]).toEqual([chain[0]!.id])
})

test('what waited on disk is taken up, and what is there is not asked for', async () => {
  const chain = forgeChain(20)
  const first = new Stage()
  await first.head(chain[19]!)
  await first.receive(...chain.slice(1, 19).reverse())
  await first.store()
  const second = new Stage({}, first.datastore.copy())
  await second.ingest.load()
  expect([...second.wanted.keys()]).toEqual([chain[0]!.id])
  expect([...second.ingest.unmerged()]).toEqual([chain[19]!.id])
  await second.receive(chain[0]!)
  expect(await second.merge()).toEqual(ids(chain))
})

test('a node that was merged over a gap is known, though what it links to has come and is queued', async () => {
  const stage = new Stage()
  const [parent, child, other] = forgeChain(3) as [Forged, Forged, Forged]
  await stage.appliedLongAgo(child)
  stage.gaps = 1
  await stage.receive(parent, child, other)
  expect(stage.counters.duplicateBlocks).toBe(1)
  expect(await stage.merge()).toEqual(ids([parent, other]))
})

test('a node that links to one that is queued is taken at once, without a look at the store, where there are no gaps', async () => {
  const stage = new Stage()
  const chain = forgeChain(4)
  await stage.receive(chain[0] as Forged)
  stage.datastore.get = () => Promise.reject(new Error('nothing has to be read'))
  for (const { bytes } of chain.slice(1)) {
    // No promise: a stream would pay for one with each of its blocks.
    expect(stage.ingest.receive({ bytes, from: 'alice' }, undefined)).toBe('new')
  }
})
