// Faults in the DAG: its tips, the links and priorities of new nodes, and what a delta of ours may hold.
import { type Mutant, mutant } from '../mutant.ts'

const HEADS = ['storage/heads-store.test.ts', 'crdt/merge-rule.test.ts']

const heads: Mutant[] = [
  mutant(
    'second-linked-head-stays',
    'A node replaces every head that it links to.',
    'crdt/merkle-clock.ts',
    [
      'if (heads.has(link)) removed.add(link)',
      'if (heads.has(link) && removed.size === 0) removed.add(link)'
    ],
    HEADS
  ),
  {
    name: 'head-of-other-dag-removed',
    breaks: 'A link to a head of another DAG leaves that head where it is.',
    edits: [
      {
        file: 'storage/heads-store.ts',
        search:
          'if (added !== undefined) return added.dagName === dagName return !this.removed.has(id) && this.#base.has(dagName, id)',
        replace:
          'return added !== undefined || (!this.removed.has(id) && this.#base.list().some((head) => head.id === id))'
      },
      {
        file: 'storage/heads-store.ts',
        search: 'if (!this.added.delete(id)) this.removed.set(id, { id, dagName })',
        replace:
          'const owner = this.#base.list().find((head) => head.id === id)?.dagName ?? dagName\nif (!this.added.delete(id)) this.removed.set(id, { id, dagName: owner })'
      }
    ],
    likely: HEADS
  },
  mutant(
    'linked-node-becomes-head',
    'A node to which a node of its DAG was linked over a gap is no tip when it comes.',
    'crdt/merkle-clock.ts',
    ['return { added: !linkedBySameDag,', 'return { added: true,'],
    ['crdt/merge-rule.test.ts']
  ),
  mutant(
    'link-of-other-dag-takes-tip',
    'A node to which only a node of another DAG was linked over a gap is a tip of its own.',
    'replica/merge.ts',
    ['closed.some((gap) => gap.dagName === dagName)', 'closed.length > 0'],
    ['crdt/merge-rule.test.ts', 'replica/unobtainable.test.ts']
  ),
  mutant(
    'cidv0-link-is-foreign',
    'CIDv0 and CIDv1 of one block are one node, in links too.',
    'codec/wire-cid.ts',
    ['return blockIdFromDigest(reader.take(DIGEST_LENGTH))', 'return undefined'],
    ['codec/node.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'spelt-out-version-0-taken',
    'A CID is read as go-cid reads it, which knows no version 0 that is spelt out.',
    'codec/wire-cid.ts',
    ['if (cidVarint(reader) !== 1)', 'if (cidVarint(reader) > 1)'],
    ['codec/broadcast.test.ts']
  ),
  mutant(
    'invalid-delta-drops-links',
    'A block whose delta does not decode is a node all the same, and its links are followed.',
    'codec/node.ts',
    [
      "return { ...node, delta: emptyDelta(), oddity: 'invalid-delta' }",
      "return { ...node, links: [], delta: emptyDelta(), oddity: 'invalid-delta' }"
    ],
    ['codec/node.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'requires-ignored',
    'The effects of a delta that requires an unknown feature wait for a version that knows it.',
    'replica/merge.ts',
    ['const ran = delta.requires.every((feature) => this.#knownFeatures.has(feature))', 'const ran = true'],
    ['replica/deferred.test.ts', 'crdt/merge-rule.test.ts']
  )
]

const WRITES = ['crdt/local-writes.test.ts', 'replica/publish.test.ts']

const clock: Mutant[] = [
  mutant(
    'priority-off-by-one',
    'The priority of a new node is one more than any that was received.',
    'crdt/merkle-clock.ts',
    ['PRIORITY_MAX : clock + 1n', 'PRIORITY_MAX : clock'],
    ['crdt/merge-rule.test.ts', ...WRITES]
  ),
  mutant(
    'priority-wraps',
    'The clock stays at 2^64 - 1, and does not begin anew.',
    'crdt/merkle-clock.ts',
    ['return clock >= PRIORITY_MAX ? PRIORITY_MAX :', 'return clock >= PRIORITY_MAX ? 0n :'],
    ['crdt/local-writes.test.ts', 'replica/publish.test.ts']
  ),
  mutant(
    'priority-as-number',
    'Priorities are exact beyond 2^53.',
    'codec/delta.ts',
    [
      'delta.priority = reader.uint64()',
      'delta.priority = BigInt.asUintN(64, BigInt(Number(reader.uint64())))'
    ],
    ['codec/delta.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'end-of-clock-outranked',
    'At the end of the clock a put removes what it could not outrank.',
    'replica/publish.ts',
    ['this.#clockEnded ? versions.aliveFrom(PRIORITY_MAX) : []', '[]'],
    WRITES
  ),
  mutant(
    'clock-ignores-received',
    'A write after a block was received is later than it (the Lamport rule).',
    'replica/ingest.ts',
    ['state.observe(priority)', ''],
    ['replica/ancestors.test.ts']
  ),
  {
    name: 'clock-raised-only-by-merge',
    breaks:
      'A block counts for the clock from when it was verified, while its ancestors are still being fetched.',
    edits: [
      { file: 'replica/ingest.ts', search: 'state.observe(priority)', replace: '' },
      {
        file: 'replica/merge.ts',
        search: 'const sequence = this.#staged.state.nextSequence(known)',
        replace: 'const sequence = this.#staged.state.nextSequence(known)\nthis.#live.observe(priority)'
      }
    ],
    likely: ['replica/ancestors.test.ts']
  },
  mutant(
    'clock-of-dag',
    'The clock is one for all DAGs of the store.',
    'replica/publish.ts',
    [
      'delta.priority = nextPriority(this.#state.clock)',
      'delta.priority = nextPriority(this.#draft.heads(this.#dagName)[0]?.priority ?? 0n)'
    ],
    WRITES
  ),
  mutant(
    'clock-not-persisted',
    'The clock is written with every commit and read at the next start.',
    'replica/state.ts',
    ['this.row.clock = this.#live.clock', ''],
    ['replica/restart.test.ts', 'storage/crash.test.ts', 'crdt/convergence.test.ts']
  ),
  mutant(
    'clock-of-waiting-block-not-persisted',
    'The clock that a waiting block raised is written with it.',
    'replica/state.ts',
    ['encodeState({ ...this.#row, clock })', 'encodeState(this.#row)'],
    ['replica/ancestors.test.ts']
  ),
  mutant(
    'clock-of-ignored-block-not-persisted',
    'The clock that a block of an ignored DAG raised is written, although nothing of the block is.',
    'replica/ingest.ts',
    [
      'this.#init.counters.ignoredBlocks += 1\n    this.#init.state.oweClock()',
      'this.#init.counters.ignoredBlocks += 1'
    ],
    ['replica/ignored-clock.test.ts']
  )
]

const publish: Mutant[] = [
  mutant(
    'key-twice-in-a-delta',
    'A key stands once in a delta of ours.',
    'replica/publish.ts',
    [
      'element: { key, value } }) }',
      'element: { key, value } }, { size: elementSize(key, value.length), element: { key, value } }) }'
    ],
    ['replica/publish.test.ts', 'crdt/local-writes.test.ts', 'codec/golden.test.ts']
  ),
  mutant(
    'put-survives-delete-of-batch',
    'In a batch the last call wins: a delete after a put of one key leaves nothing.',
    'crdt/delta.ts',
    [
      'intents.set(operation.key, { clear: true })',
      'intents.set(operation.key, { ...intents.get(operation.key), clear: true })'
    ],
    ['crdt/or-set.test.ts', 'crdt/merge-rule.test.ts', 'batch.test.ts']
  ),
  mutant(
    'put-undoes-delete-of-batch',
    'In a batch a put after a delete of one key leaves its old versions removed.',
    'crdt/delta.ts',
    ['clear: before?.clear ?? false', 'clear: false'],
    ['crdt/or-set.test.ts', 'batch.test.ts']
  ),
  mutant(
    'put-undoes-delete-of-other-unit',
    'A put that shares a delta with an earlier delete of its key keeps what that one removes.',
    'replica/publish.ts',
    ['clear: intent.clear || (shared.get(key)?.clear ?? false)', 'clear: intent.clear'],
    WRITES
  ),
  mutant(
    'oversized-delta',
    'No delta of ours is larger than the limit, not even by its last operation.',
    'replica/publish.ts',
    ['if (size > 0 && size + item.size > this.#bytesMax)', 'if (size > this.#bytesMax)'],
    WRITES
  ),
  mutant(
    'unit-divided',
    'A unit that fits into one delta is never divided.',
    'replica/publish.ts',
    ['if (shared.size > 0 && (!share || size + added > this.#bytesMax))', 'if (shared.size > 0 && !share)'],
    WRITES
  ),
  mutant(
    'history-forks',
    'Each node of a large batch links to the one before it, so that the history is not forked into as many heads.',
    'replica/merge.ts',
    ['return this.#staged.heads.list(dagName)', 'return this.#stores.heads.list(dagName)'],
    WRITES
  ),
  mutant(
    'links-beyond-limit',
    'A node of ours links to a bounded number of heads.',
    'replica/publish.ts',
    ['this.#draft.heads(this.#dagName).slice(0, this.#limits.linksMax)', 'this.#draft.heads(this.#dagName)'],
    WRITES
  ),
  mutant(
    'links-to-least-heads',
    'Where there are too many heads a node links to those of greatest priority.',
    'storage/heads-store.ts',
    ['return a.priority > b.priority ? -1 : 1', 'return a.priority > b.priority ? 1 : -1'],
    ['storage/heads-store.test.ts', 'crdt/local-writes.test.ts']
  ),
  mutant(
    'lone-put-over-tombstone',
    'A put that a remembered tombstone names stays removed, also where it waits alone.',
    'replica/lone-put.ts',
    ['committed.tombstones === 0 &&', ''],
    ['replica/lone-put.test.ts']
  ),
  mutant(
    'lone-put-leaves-gap',
    'A put that somebody linked to before it came closes that gap, also where it waits alone.',
    'replica/lone-put.ts',
    ['committed.gaps === 0 &&', ''],
    ['replica/lone-put.test.ts']
  ),
  mutant(
    'lone-put-opens-no-gap',
    'A put links to no head of which it is not known that it is applied, unless that is remembered as a gap.',
    'replica/lone-put.ts',
    ['if (this.#stores.log.recent(id) === undefined) return undefined', ';'],
    ['replica/lone-put.test.ts']
  ),
  mutant(
    'lone-put-forgets-version',
    'A put leaves the version that it wins over alive, also where it waits alone.',
    'storage/set-store.ts',
    [
      'changes.put(this.#layout.other(key, id), encodePriority(priority)) }\n\n  /** Completes a working',
      '}\n\n  /** Completes a working'
    ],
    ['replica/lone-put.test.ts', 'crdt/local-writes.test.ts']
  ),
  mutant(
    'seventeenth-head-by-lone-put',
    'A put whose head does not fit into the state row gives each head a row of its own, also where it waits alone.',
    'replica/lone-put.ts',
    ['heads.hasRoomInState &&', ''],
    ['replica/lone-put.test.ts']
  ),
  mutant(
    'delete-of-nothing-written',
    'Deleting a key that is not there writes no node.',
    'replica/publish.ts',
    ['if (size > 0) deltas.push(delta) return deltas', 'deltas.push(delta)\nreturn deltas'],
    WRITES
  )
]

export const DAG_MUTANTS: readonly Mutant[] = [...heads, ...clock, ...publish]
