// Faults in how a commit becomes durable, who is told of it and when, and what is there at the next start.
import { type Mutant, mutant } from '../mutant.ts'

const STORE = ['storage/commit.test.ts', 'storage/crash.test.ts', 'storage/failing-disk.test.ts']

/** The promise of the commit leaves the funnel with what it did, so that whoever gets that may go ahead of it. */
const NOT_AWAITED = [
  {
    file: 'replica/staged-commit.ts',
    search: 'await this.#stores.committer.commit(this.rows)',
    replace: 'const durable = this.#stores.committer.commit(this.rows)\ndurable.catch(() => {})'
  },
  {
    file: 'replica/staged-commit.ts',
    search: 'if (adopting !== undefined) await adopting return committed',
    replace: 'if (adopting !== undefined) await adopting\nreturn { ...committed, durable }'
  },
  {
    file: 'replica/lone-put.ts',
    search: 'await committer.commit(rows)',
    replace: 'const durable = committer.commit(rows)\ndurable.catch(() => {})'
  },
  {
    file: 'replica/lone-put.ts',
    search: "return { origin: 'local', sequence,",
    replace: "return { durable, origin: 'local', sequence,"
  }
] as const

const durability: Mutant[] = [
  {
    name: 'event-before-commit',
    breaks: 'Nobody is told of anything before it is durable.',
    edits: [
      ...NOT_AWAITED,
      {
        file: 'replica/writer.ts',
        search:
          'taken.acknowledge() if (committed === undefined) return await this.#committedLocally(committed)',
        replace:
          'if (committed !== undefined) await this.#committedLocally(committed)\ntry { await committed?.durable; taken.acknowledge() } catch (error) { taken.reject(this.#failedLocally(error)) }'
      },
      {
        file: 'replica/writer.ts',
        search: 'ingest.merged(nodes) this.#init.onCommitted(committed)',
        replace: 'this.#init.onCommitted(committed)\nawait committed.durable\ningest.merged(nodes)'
      }
    ],
    likely: ['replica/writer.test.ts', 'events.test.ts', 'storage/failing-disk.test.ts']
  },
  mutant(
    'ack-before-commit',
    'A write is acknowledged after its commit is durable.',
    'replica/writer.ts',
    [
      'committed = await this.#publish(taken.units)',
      'taken.acknowledge()\ncommitted = await this.#publish(taken.units)'
    ],
    ['replica/writer.test.ts', 'storage/crash.test.ts']
  ),
  mutant(
    'batch-in-two-commits',
    'A batch becomes durable as a whole or not at all.',
    'replica/writer.ts',
    [
      "const draft = new CommitDraft(stores, state, 'local') const publisher = new Publisher(draft, state, limits, only",
      `const half = Math.ceil((only?.operations.length ?? 0) / 2)
      if (only !== undefined && units.length === 1 && only.operations.length > 1) {
        return Promise.resolve(this.#publish([{ ...only, operations: only.operations.slice(0, half) }])).then(() =>
          this.#publish([{ ...only, operations: only.operations.slice(half) }])
        )
      }
      const draft = new CommitDraft(stores, state, 'local')
      const publisher = new Publisher(draft, state, limits, only`
    ],
    ['batch.test.ts', 'replica/writer.test.ts', 'crdt/local-writes.test.ts']
  ),
  mutant(
    'delta-in-two-batches',
    'What one commit changes is one batch of the datastore.',
    'storage/commit.ts',
    [
      'try { await rows.write(changes.rows) } catch (error) { if (await isUntouched',
      `try {
        const all = [...changes.rows]
        const half = Math.ceil(all.length / 2)
        await rows.write(new Map(all.slice(0, half)))
        if (half < all.length) await rows.write(new Map(all.slice(half)))
      } catch (error) { if (await isUntouched`
    ],
    STORE
  ),
  mutant(
    'made-batch-taken-for-failed',
    'A batch that failed after it was made is not taken for one that was not made.',
    'storage/commit.ts',
    ['if (await isUntouched(rows, changes)) throw', 'throw'],
    STORE
  ),
  mutant(
    'rows-after-heads',
    'The heads become durable with what they stand for, and not before it.',
    'replica/staged-commit.ts',
    [
      'await this.#stores.committer.commit(this.rows)',
      `const { committer, layout } = this.#stores
      const state = new ChangeSet()
      state.put(layout.state, this.rows.rows.get(layout.state) as Uint8Array)
      await committer.commit(state)
      await committer.commit(this.rows)`
    ],
    STORE
  ),
  mutant(
    'state-row-forgotten',
    'Heads, clock, counters and digest are written with every commit.',
    'replica/staged-commit.ts',
    ['this.rows.put(layout.state, this.state.encode(headsInState))', 'this.state.encode(headsInState)'],
    ['storage/crash.test.ts', 'replica/restart.test.ts']
  ),
  mutant(
    'memory-before-commit',
    'A commit that fails leaves the heads in memory as they were.',
    'replica/staged-commit.ts',
    [
      'await this.#stores.committer.commit(this.rows) this.#live.adopt(this.state) this.#stores.heads.adopt(this.heads)',
      'this.#stores.heads.adopt(this.heads)\nawait this.#stores.committer.commit(this.rows)\nthis.#live.adopt(this.state)'
    ],
    ['storage/failing-disk.test.ts', 'replica/writer.test.ts']
  ),
  mutant(
    'lone-put-in-memory-before-commit',
    'A put that waited alone and failed leaves the heads in memory as they were.',
    'replica/lone-put.ts',
    [
      'await committer.commit(rows) this.#state.adopt(staged) heads.replace(head, replaced)',
      'heads.replace(head, replaced)\nawait committer.commit(rows)\nthis.#state.adopt(staged)'
    ],
    ['storage/failing-disk.test.ts', 'replica/writer.test.ts']
  ),
  mutant(
    'failed-commit-loses-nodes',
    'Received nodes whose commit failed stay queued and are tried again.',
    'replica/writer.ts',
    [
      'const committed = await draft.commit() counters.remoteCommits += 1',
      'ingest.merged(nodes)\nconst committed = await draft.commit()\ncounters.remoteCommits += 1'
    ],
    ['replica/writer.test.ts', 'replica/restart.test.ts']
  ),
  mutant(
    'applied-mark-forgotten',
    'The mark that a node is applied is written with its effects.',
    'storage/log-store.ts',
    ['changes.put(this.#layout.applied(node.id), encodeApplied(row))', ''],
    ['storage/log-store.test.ts', 'storage/crash.test.ts', 'crdt/convergence.test.ts']
  ),
  mutant(
    'node-applied-twice',
    'A node that was applied is never applied again, however long ago that was.',
    'replica/ingest.ts',
    [
      'row === undefined ? this.#take(node, from, root) : this.#known(id, from, root)',
      'this.#take(node, from, root)'
    ],
    ['replica/ingest.test.ts', 'replica/restart.test.ts', 'crdt/convergence.test.ts']
  ),
  mutant(
    'applied-over-gap-forgotten',
    'A node that was merged over a gap is never applied again, though what it links to is queued.',
    'replica/links.ts',
    ['if (this.#init.state.committed.gaps > 0) return false', ''],
    ['replica/ingest.test.ts']
  )
]

const journal: Mutant[] = [
  mutant(
    'journal-not-written',
    'Where a batch of the datastore is not atomic, a journal row decides the commit.',
    'storage/commit.ts',
    ['return rows.atomic ? atomicCommitter(rows) :', 'return rows.atomic || rows ? atomicCommitter(rows) :'],
    STORE
  ),
  mutant(
    'journal-removed-before-apply',
    'The journal row goes after what it decides was applied.',
    'storage/commit.ts',
    [
      'await rows.write(changes.rows) await rows.write(new Map([[journalRow, null]])) return',
      'await rows.write(new Map([[journalRow, null]]))\nawait rows.write(changes.rows)\nreturn'
    ],
    STORE
  ),
  mutant(
    'journal-not-replayed',
    'Opening a store finishes the commit that its journal row decided.',
    'storage/open.ts',
    ['await replayJournal(rows, layout.journal)', ''],
    ['storage/crash.test.ts', 'storage/opening.test.ts']
  ),
  mutant(
    'failed-journal-comes-to-life',
    'A commit that was said to have failed is not made by the next start.',
    'storage/commit.ts',
    ['if (await withdraw(rows, journalRow)) throw', 'if (rows.atomic === false) throw'],
    STORE
  )
]

const EVENTS = ['events.test.ts', 'replica/ancestors.test.ts', 'watch.test.ts']

const events: Mutant[] = [
  mutant(
    'events-out-of-order',
    'Changes of one commit are told in the order of the nodes that made them.',
    'replica/key-draft.ts',
    ['changes.sort((a, b) => a.sequence - b.sequence)', 'changes.sort((a, b) => b.sequence - a.sequence)'],
    ['replica/ancestors.test.ts', 'watch.test.ts', 'events.test.ts']
  ),
  mutant(
    'previous-value-wrong',
    'An event says the value before the commit.',
    'replica/key-draft.ts',
    ['previous: before?.value', 'previous: before === undefined ? undefined : winner?.value'],
    EVENTS
  ),
  mutant(
    'event-twice',
    'A commit tells each changed key once.',
    'notifier.ts',
    [
      "if (isHeard) this.#init.dispatch('change', change)",
      "if (isHeard) {\nthis.#init.dispatch('change', change)\nthis.#init.dispatch('change', change)\n}"
    ],
    EVENTS
  ),
  mutant(
    'event-without-change',
    'A key whose value stays is no event.',
    'replica/key-draft.ts',
    ['if (before?.id !== winner?.id)', 'if (before?.id !== winner?.id || before !== undefined)'],
    EVENTS
  ),
  mutant(
    'revealed-value-told-as-delete',
    'A tombstone that reveals an older value is the put of that value, and no delete.',
    'replica/key-draft.ts',
    [
      'value: winner?.value,',
      'value: before !== undefined && winner !== undefined && winner.priority < before.priority ? undefined : winner?.value,'
    ],
    EVENTS
  ),
  mutant(
    'watch-skips-a-commit',
    'A watch leaves nothing out between what it replays and what is live.',
    'watch.ts',
    ['source.replay(this.#delivered + 1, to,', 'source.replay(this.#delivered + 2, to,'],
    ['watch-resume.test.ts', 'watches.test.ts', 'watch.test.ts']
  ),
  mutant(
    'replay-omits-last-change',
    'A replay tells each key as the node that made its value left it.',
    'inspect/replay.ts',
    ['madeBy.sequence > sequence', 'madeBy.sequence >= sequence'],
    ['watch-resume.test.ts', 'watches.test.ts']
  )
]

export const COMMIT_MUTANTS: readonly Mutant[] = [...durability, ...journal, ...events]
