// Faults in what a store refuses, how much it takes, and what of several replicas or DAGs is kept apart.
import { type Mutant, mutant } from '../mutant.ts'

const STORE = ['storage/commit.test.ts', 'storage/failing-disk.test.ts', 'storage/crash.test.ts']
const HEADS = ['storage/heads-store.test.ts']

const rows: Mutant[] = [
  mutant(
    'fsync-forgotten-for-many',
    'A large commit waits for the disk like a small one, where that is asked for.',
    'storage/row-store.ts',
    ['await batch.write(this.#writeOptions)', 'await batch.write({})'],
    ['storage/row-store.test.ts']
  ),
  mutant(
    'half-commit-readable',
    'Nobody reads half of a commit while its journal is applied.',
    'storage/row-store.ts',
    ['await this.#applying try { return ownBytes(', 'try { return ownBytes('],
    ['storage/row-store.test.ts', ...STORE]
  ),
  mutant(
    'journal-applied-once',
    'A commit that its journal row decided is applied as often as it takes.',
    'storage/commit.ts',
    ['if (attempt < retriesMax) continue', ''],
    STORE
  ),
  mutant(
    'undecided-store-goes-on',
    'After a failure that leaves the store undecided nothing is written any more.',
    'storage/commit.ts',
    [
      'if (failure !== undefined) throw failure try { await rows.write(new Map([[journalRow',
      'try { await rows.write(new Map([[journalRow'
    ],
    STORE
  ),
  mutant(
    'seventeenth-head-loses-others',
    'Heads that move from the state row to rows of their own are all written.',
    'storage/heads-store.ts',
    ['hadRows ? staged.added.values() : staged.list()', 'staged.added.values()'],
    HEADS
  ),
  mutant(
    'head-rows-left',
    'The row of a head goes with the head.',
    'storage/heads-store.ts',
    [
      'const gone = count > IN_STATE_MAX ? staged.removed.values() : this.list()',
      'const gone = [] as StoredHead[]'
    ],
    HEADS
  ),
  mutant(
    'head-rows-left-by-few',
    'Heads are in the state row or in rows of their own, and never in both.',
    'storage/heads-store.ts',
    [
      'const gone = count > IN_STATE_MAX ? staged.removed.values() : this.list()',
      'const gone = staged.removed.values()'
    ],
    HEADS
  ),
  mutant(
    'row-of-other-version-left',
    'The row of a version goes when it is removed or becomes the winner.',
    'storage/set-store.ts',
    ['for (const id of changed.othersDeleted) changes.delete(this.#layout.other(key, id))', ''],
    ['crdt/merge-rule.test.ts']
  ),
  mutant(
    'damaged-pending-block-merged',
    'What a disk made of a block that waits is not merged.',
    'storage/pending-store.ts',
    ['if ((await blockIdOf(pending.bytes)) === id) return pending', 'if (id !== undefined) return pending'],
    ['check/opening.test.ts']
  ),
  mutant(
    'stale-state-row-accepted',
    'A state row that is older than the log is refused: the next commits would be written over the log.',
    'replica/stores.ts',
    ['else if ((await rows.get(layout.log(sequence + 1))) !== undefined)', 'else if (sequence < 0)'],
    ['check/opening.test.ts', 'storage/opening.test.ts']
  ),
  mutant(
    'other-topic-accepted',
    'A store is not opened under another topic.',
    'storage/open.ts',
    ['topic !== undefined && meta.topic !== topic', 'topic !== undefined && meta.topic === undefined'],
    ['storage/opening.test.ts', 'create.test.ts']
  ),
  mutant(
    'newer-layout-accepted',
    'A layout that is too new is refused.',
    'storage/open.ts',
    ['meta.leastReader > LAYOUT', 'meta.leastReader < 0'],
    ['storage/opening.test.ts']
  ),
  mutant(
    'purged-row-remembered',
    'What is read of a node while it is purged is not remembered after.',
    'storage/log-store.ts',
    ['if (forgotten === this.#forgotten) this.adopt(', 'this.adopt('],
    ['replica/purged-dags.test.ts']
  )
]

const limits: Mutant[] = [
  mutant(
    'write-queue-without-bound',
    'The writes that wait are bounded in bytes.',
    'replica/write-queue.ts',
    ['this.#bytes + bytes > this.#bytesMax', 'this.#bytes + bytes < 0'],
    ['replica/write-queue.test.ts']
  ),
  mutant(
    'inbox-without-bound',
    'What waits to be handled is bounded in bytes.',
    'replica/inbox.ts',
    ['this.#bytes + bytes > this.#init.bytesMax', 'this.#bytes + bytes < 0'],
    ['replica/waiting.test.ts']
  ),
  mutant(
    'pending-without-budget',
    'Blocks that wait have a budget for each peer.',
    'replica/budgets.ts',
    [
      'return budget.entries > pendingBlocksPerPeerMax || budget.bytes > pendingBytesPerPeerMax',
      'return false'
    ],
    ['replica/eviction.test.ts']
  ),
  mutant(
    'memory-without-bound',
    'A stream that is faster than the disk does not fill memory.',
    'replica/delivery.ts',
    [
      'whenReady(ingest.room(), () => whenReady(breathe(), () => take(block, expected)))',
      'whenReady(breathe(), () => take(block, expected))'
    ],
    ['replica/catch-up.test.ts', 'replica/close.test.ts']
  ),
  mutant(
    'oversized-block-taken',
    'A block that is too large is dropped unread.',
    'replica/block-checks.ts',
    ['if (bytes.length > limits.blockBytesMax)', 'if (bytes.length < 0)'],
    ['replica/hostile.test.ts']
  ),
  mutant(
    'wants-without-bound',
    'The heads that are wanted are bounded.',
    'dag/fetch.ts',
    [
      'if (this.#wants.size < this.#init.limits.wantedHeadsMax) return true',
      'if (this.#wants.size >= 0) return true'
    ],
    ['dag/fetch.test.ts']
  ),
  mutant(
    'row-left-behind',
    'The row of a block that was dropped and came again goes with it, also before it was written anew.',
    'replica/pending-rows.ts',
    ['if (this.#left.delete(block.id)) this.#toDelete.add(block.id)', ''],
    ['replica/ingest.test.ts']
  ),
  mutant(
    'row-left-behind-meanwhile',
    'So does one that was dropped and came again while its row was written.',
    'replica/ingest.ts',
    ['else if (pending !== block) this.#rows.leave(block.id)', 'else if (pending !== block) return'],
    ['replica/ingest.test.ts']
  ),
  mutant(
    'queued-twice',
    'A block that two peers bring at the same moment is queued once, and takes room once.',
    'replica/ingest.ts',
    [
      'return this.holds(node.id) ? undefined : this.#ready(node, from, stored)',
      'return this.#ready(node, from, stored)'
    ],
    ['replica/ingest.test.ts']
  ),
  mutant(
    'share-never-given-back',
    'What has arrived makes room for more of the same peer.',
    'dag/requests.ts',
    ['this.#queue.done(want)', ''],
    ['dag/fetch.test.ts']
  ),
  mutant(
    'large-block-inlined',
    'Only small blocks ride inside announcements.',
    'replica/announce.ts',
    ['bytes.length <= limits.inlineBytesMax ?', 'bytes.length >= 0 ?'],
    ['replica/announce.test.ts', 'replica/catch-up.test.ts']
  ),
  mutant(
    'watch-without-bound',
    'The changes that wait for a slow consumer are bounded in bytes.',
    'watch.ts',
    ['if (this.#bytes > this.#init.bufferBytesMax) this.#lag()', ''],
    ['watch.test.ts', 'watch-resume.test.ts', 'watches.test.ts']
  )
]

const apart: Mutant[] = [
  mutant(
    'units-of-two-dags-share',
    'Writes of two DAGs have deltas of their own.',
    'replica/write-queue.ts',
    ['waiting.dagName !== first.dagName || operations > operationsMax', 'operations > operationsMax'],
    ['replica/write-queue.test.ts']
  ),
  mutant(
    'deferred-target-taken-for-run',
    'A tombstone of a block whose effects are deferred is kept until they run.',
    'replica/merge.ts',
    ['target?.ran === true ? target.dagName : undefined', 'target?.dagName'],
    ['replica/deferred.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'own-removal-not-remembered',
    'What its own DAG removed stays removed when the other DAG that removed it is purged.',
    'replica/merge.ts',
    ['if (!isSameDag && hasKey) versions.rememberTombstone(id, targetDagName)', ''],
    ['replica/purge.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'purge-opens-no-gaps',
    'A link to a node that was purged is a gap.',
    'replica/purge.ts',
    ['await this.#openGaps(dagName, signal) await exclusively', 'await exclusively'],
    ['replica/purge.test.ts', 'replica/purged-dags.test.ts']
  ),
  mutant(
    'purge-not-resumed',
    'A purge that was cut off is ended by the next start.',
    'replica/purge.ts',
    ['const row = { purged: false } ignored.put(dagName, row, draft.rows)', 'const row = { purged: false }'],
    ['replica/purged-dags.test.ts', 'storage/purge-crash.test.ts']
  ),
  mutant(
    'common-ground-found-early',
    'Every node that is not below common ground is sent.',
    'libp2p/sync/common-ground.ts',
    ['for (const link of linksOf(entry.bytes)) if (!below.has(link)) wanted.add(link)', ''],
    ['libp2p/common-ground.test.ts']
  ),
  mutant(
    'cursor-of-other-generation',
    'A cursor counts in the life of the store that gave it, and in no other.',
    'libp2p/sync/server.ts',
    ['cursor === undefined || cursor.generation !== snapshot.generation', 'cursor === undefined'],
    ['libp2p/hostile-peers.test.ts']
  ),
  mutant(
    'cursor-skips-a-node',
    'A stream that is resumed goes on behind the last node that came.',
    'libp2p/sync/server.ts',
    ['sequence <= snapshot.sequence ? sequence + 1', 'sequence <= snapshot.sequence ? sequence + 2'],
    ['libp2p/hostile-peers.test.ts']
  ),
  mutant(
    'divergence-not-told',
    'Another digest for the same heads is told.',
    'replica/peers.ts',
    ['if (equals(ours.digest, theirs.digest)) return', 'if (equals(ours.digest, ours.digest)) return'],
    ['events-network.test.ts', 'peers.test.ts']
  ),
  mutant(
    'divergence-told-of-gaps',
    'Replicas with gaps, deferred nodes or ignored DAGs are not called divergent.',
    'replica/peers.ts',
    ['return isWhole(ours) && isWhole(theirs) && claimsHeads', 'return claimsHeads'],
    ['events-network.test.ts', 'peers.test.ts', 'replica/purged-dags.test.ts']
  )
]

const heard: Mutant[] = [
  mutant(
    'rebroadcast-once',
    'A head that others said is said again when they fall silent.',
    'replica/announce.ts',
    ['this.#sayUnsaid().then(() => this.#said.clear())', 'this.#sayUnsaid()'],
    ['replica/announce.test.ts']
  ),
  mutant(
    'wanted-row-left',
    'The row of a wanted head goes once it is merged.',
    'replica/replica.ts',
    ['this.#wanted.remove(id) this.#fetcher?.drop(id)', 'this.#fetcher?.drop(id)'],
    ['replica/restart.test.ts']
  ),
  mutant(
    'wait-for-sync-early',
    'Who waits for a synchronisation waits for what is queued, too.',
    'replica/ingest.ts',
    ['yield* this.#queue.ids()', ''],
    ['replica/ingest.test.ts']
  ),
  mutant(
    'new-peer-not-asked',
    'A peer that comes is asked for what the others failed to give.',
    'replica/replica.ts',
    ['this.#fetcher?.peerCame(peer)', ''],
    ['replica/unobtainable.test.ts', 'replica/catch-up.test.ts']
  ),
  mutant(
    'gap-not-asked-of-new-peer',
    'A peer that comes is asked for gaps at once.',
    'replica/replica.ts',
    ['this.#gapRetry.within(0)', ''],
    ['replica/ancestors.test.ts']
  ),
  mutant(
    'impatient-offline',
    'A replica that has nobody to ask keeps what it waits for.',
    'dag/fetch.ts',
    ['if (!wasAsked) want.since = now', ''],
    ['dag/fetch.test.ts']
  ),
  mutant(
    'hook-hurts-store',
    'A hook that throws hurts nobody.',
    'notifier.ts',
    ['} catch (error) { onError(error) }', '} catch (error) { throw error }'],
    ['hooks.test.ts']
  ),
  mutant(
    'blockstore-keeps-chunk',
    'A blockstore that keeps a block keeps nothing of its neighbours.',
    'dag/blockstore.ts',
    ['new Uint8Array(bytes)', 'bytes'],
    ['dag/blockstore.test.ts']
  ),
  mutant(
    'event-shares-bytes',
    'The value of an event is not the bytes that the writer handed over.',
    'notifier.ts',
    ['value: copyOf(change.value)', 'value: change.value'],
    ['events.test.ts', 'watch.test.ts', 'hooks.test.ts']
  ),
  mutant(
    'watch-repeats-since',
    'A watch tells nothing of what was handled already.',
    'watch.ts',
    ['|| (addsNodes && change.sequence <= since)', ''],
    ['watch-resume.test.ts', 'watches.test.ts']
  )
]

export const BOUND_MUTANTS: readonly Mutant[] = [...rows, ...limits, ...apart, ...heard]
