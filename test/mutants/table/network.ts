// Faults in what comes from the network and goes out to it, in what a restart takes up again, and in how a replica ends.
import { type Mutant, mutant } from '../mutant.ts'

const INGEST = ['replica/ingest.test.ts', 'replica/ancestors.test.ts', 'replica/unobtainable.test.ts']
const RESTART = ['replica/restart.test.ts', 'replica/ingest.test.ts']

const ingest: Mutant[] = [
  mutant(
    'child-before-parent',
    'A node is merged after the nodes that it links to.',
    'replica/ingest.ts',
    [
      'if (missing.size === 0) return await this.#ready(node, from, stored)',
      'this.#init.want(missing, from, false)\nif (missing.size >= 0) return await this.#ready(node, from, stored)'
    ],
    INGEST
  ),
  mutant(
    'gap-forgotten',
    'A link that was given up is remembered until its block comes.',
    'replica/merge.ts',
    ['if (doubtful.length > 0) await this.#openGaps({ linkedBy: id, dagName, sequence }, doubtful)', ''],
    ['replica/unobtainable.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'gap-never-closed',
    'The row of a gap goes when its block is applied.',
    'replica/gap-draft.ts',
    ['for (const { linkedBy } of gaps) this.#store.close(id, linkedBy, rows)', ''],
    ['replica/unobtainable.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'gap-offered-as-common-ground',
    'No node is offered as common ground whose ancestors may not all be here.',
    'storage/gap-store.ts',
    ['for (const { sequence } of opened) this.#limit = Math.min(this.#limit, sequence)', ''],
    ['storage/gap-store.test.ts', 'libp2p/common-ground.test.ts']
  ),
  mutant(
    'gap-not-asked-again',
    'What was missing when its branch was merged is asked for once in a while.',
    'replica/gap-retry.ts',
    ['if (!this.#stopped) ask(missing)', ''],
    ['replica/unobtainable.test.ts', 'replica/restart.test.ts']
  ),
  mutant(
    'patience-without-end',
    'A missing ancestor that stays unobtainable does not hold up its branch for ever.',
    'dag/fetch.ts',
    ['if (want.once || patience <= 0)', 'if (want.once)'],
    ['replica/unobtainable.test.ts', 'dag/fetch.test.ts']
  ),
  mutant(
    'pending-not-stored',
    'A block that waits for its ancestors survives a restart.',
    'replica/ingest.ts',
    ['this.#rows.add(block)', ''],
    RESTART
  ),
  mutant(
    'pending-row-left',
    'The row of a block that waited goes with the commit that merges it.',
    'replica/ingest.ts',
    ['if (this.#queue.get(id)?.stored) this.#init.pendingStore.delete(id, changes)', 'this.#queue.get(id)'],
    RESTART
  ),
  mutant(
    'wanted-head-not-stored',
    'A head that was heard of is taken up again after a restart.',
    'replica/intake.ts',
    ['if (options.root) wanted.add(id)', ''],
    RESTART
  ),
  mutant(
    'ready-forgotten-by-close',
    'A close keeps what was received and is not merged yet.',
    'replica/writer.ts',
    ['if (this.#stopped) ingest.storeReady(changes)', ''],
    ['replica/writer.test.ts', 'replica/close.test.ts']
  ),
  mutant(
    'block-hash-unchecked',
    'Bytes that do not hash to the id that was asked for are never stored.',
    'replica/block-checks.ts',
    [
      'if (expected === undefined || expected.has(id)) return id',
      'if (expected === undefined || expected.has(id)) return id\nif (expected.size === 1) return [...expected][0]'
    ],
    ['replica/hostile.test.ts']
  ),
  mutant(
    'bad-head-drops-message',
    'One undecodable head in a broadcast does not drop the others.',
    'codec/broadcast.ts',
    ['} catch { return undefined }', '} catch (error) { throw error }'],
    ['codec/broadcast.test.ts', 'replica/hostile.test.ts']
  ),
  mutant(
    'legacy-broadcast-dropped',
    'A message that is a bare CID is one head in the unnamed DAG.',
    'codec/broadcast.ts',
    ["if (id !== undefined) return { id, dagName: '' }", ''],
    ['codec/broadcast.test.ts']
  ),
  mutant(
    'dag-by-hint',
    'A head that is announced under the name of an ignored DAG is taken all the same when its block says another one.',
    'replica/intake.ts',
    ['if (block === undefined && ignored.has(dagName)) return', 'if (ignored.has(dagName)) return'],
    ['replica/purged-dags.test.ts']
  ),
  mutant(
    'budget-forgets-head',
    'A head that is dropped over the budget of its peer is remembered and asked for again.',
    'replica/eviction.ts',
    ['if (saidBy.size > 0 && need !== undefined) this.#heads.add(', 'if (false) this.#heads.add('],
    ['replica/eviction.test.ts', 'replica/ingest.test.ts', 'replica/catch-up.test.ts']
  ),
  mutant(
    'newcomer-pushes-out',
    'What waits is not pushed out of a budget by what it does not wait for.',
    'replica/eviction.ts',
    ['pending.lineFrom(added)', 'pending.lineFrom(pending.get([...pending.ids()][0] as string) ?? added)'],
    ['replica/eviction.test.ts', 'replica/budgets.test.ts']
  ),
  mutant(
    'dropped-head-asked-at-once',
    'What was dropped over a budget is asked for again once there is room for it, and not before.',
    'replica/budgets.ts',
    ['if (entries === 0) return true', 'return true'],
    ['replica/eviction.test.ts', 'replica/budgets.test.ts']
  ),
  mutant(
    'block-charged-to-sender',
    'A block counts in the budget of a peer whose heads led to it, whoever sends it.',
    'replica/pending.ts',
    ['return first ?? sender', 'return sender'],
    ['replica/pending.test.ts']
  ),
  mutant(
    'stream-asked-for-ever',
    'What a whole stream did not bring is asked for by its id, and not by the same stream again.',
    'dag/fetch.ts',
    ["if (how === 'badly') want.pulled.delete(peer)", 'want.pulled.delete(peer)'],
    ['dag/fetch.test.ts', 'replica/budgets.test.ts']
  )
]

const fetch: Mutant[] = [
  mutant(
    'broken-streams-for-ever',
    'A peer whose streams break off before they bring anything is asked to stream ever more rarely.',
    'dag/pulls.ts',
    ['until: clock.now() + pause', 'until: 0'],
    ['dag/fetch.test.ts']
  ),
  mutant(
    'block-asked-twice',
    'A block is asked for once at a time, however many heads lead to it.',
    'dag/fetch.ts',
    ['const known = this.#wants.get(id) const want = known ??', 'const known = undefined\nconst want ='],
    ['dag/fetch.test.ts', 'replica/catch-up.test.ts']
  ),
  mutant(
    'no-backoff',
    'Retries back off.',
    'dag/fetch.ts',
    [
      'want.failures, limits.retryIntervalMs, limits.retryIntervalMsMax, random)',
      '1, limits.retryIntervalMs, limits.retryIntervalMs, random)'
    ],
    ['dag/fetch.test.ts', 'replica/unobtainable.test.ts']
  ),
  mutant(
    'same-peer-asked-again',
    'Every retry begins with another peer.',
    'dag/requests.ts',
    ['const first = failures % Math.max(1, peers.length)', 'const first = 0'],
    ['dag/fetch.test.ts', 'replica/catch-up.test.ts', 'replica/hostile.test.ts']
  ),
  mutant(
    'requests-without-bound',
    'The ids that are asked for at once are bounded.',
    'dag/requests.ts',
    ['Math.min(fetchIdsMax, fetchConcurrency - this.#idsUnderWay)', 'fetchIdsMax'],
    ['dag/fetch.test.ts', 'replica/hostile.test.ts']
  ),
  mutant(
    'waiting-for-a-turn-times-out',
    'The time of a request counts from when somebody is asked, and not from when it began to wait for that.',
    'dag/requests.ts',
    ['this.#restartTimeout(request)\n    this.#stopWaiting(request)', 'this.#stopWaiting(request)'],
    ['dag/fetch.test.ts', 'libp2p/crowded-streams.test.ts']
  ),
  mutant(
    'unasked-block-given-up',
    'A block that nobody was asked for, since no request came to its turn, is not given up.',
    'dag/requests.ts',
    [
      'const wasAsked = hadPeers && !(request.isWaiting && controller.signal.aborted)',
      'const wasAsked = hadPeers'
    ],
    ['dag/fetch.test.ts']
  ),
  mutant(
    'requests-queue-one-by-one',
    'What a peer led to while a request of it waits for its turn goes as one after it.',
    'dag/requests.ts',
    ['(owner) => !this.#waiting.has(owner)', '() => true'],
    ['dag/fetch.test.ts', 'libp2p/crowded-streams.test.ts']
  ),
  mutant(
    'turn-not-told',
    'The sync protocol tells when a request comes to its turn.',
    'libp2p/sync/sessions.ts',
    ['onTurn?.()', ''],
    ['testkit/acceptance-exchange.test.ts', 'libp2p/crowded-streams.test.ts']
  ),
  mutant(
    'request-without-timeout',
    'A peer that does not answer is given up.',
    'dag/requests.ts',
    ['request.timer = clock.setTimeout(() => request.controller.abort(), limits.fetchTimeoutMs)', ''],
    ['dag/fetch.test.ts', 'replica/unobtainable.test.ts']
  )
]

const ANNOUNCE = ['replica/announce.test.ts']

const announce: Mutant[] = [
  mutant(
    'rebroadcast-says-everything',
    'A rebroadcast says only what others have not said within the interval.',
    'replica/announce.ts',
    ['this.#init.heads().filter(({ id }) => !this.#said.has(id))', 'this.#init.heads()'],
    ANNOUNCE
  ),
  mutant(
    'empty-message',
    'No message is empty.',
    'replica/announce.ts',
    ['if (message.length > 0) yield message }', 'yield message }'],
    ANNOUNCE
  ),
  mutant(
    'failed-broadcast-counts-as-said',
    'A head whose broadcast failed is said again.',
    'replica/announce.ts',
    [
      'counters.broadcastsFailed += 1',
      'counters.broadcastsFailed += 1\nfor (const { id } of message) this.#said.add(id)'
    ],
    ANNOUNCE
  ),
  mutant(
    'unheard-broadcast-counts-as-said',
    'A head that nobody heard is said again.',
    'replica/announce.ts',
    ['if (!heard) continue', ''],
    ANNOUNCE
  ),
  mutant(
    'message-over-limit',
    'No message is larger than the limit.',
    'replica/announce.ts',
    ['if (message.length > 0 && bytes + size > bytesMax)', 'if (message.length > 0 && bytes > bytesMax)'],
    ANNOUNCE
  ),
  mutant(
    'learned-head-not-passed-on',
    'Heads that came otherwise than by gossip are passed on to those who only gossip.',
    'replica/replica.ts',
    ['else if (committed.headsAdded.length > 0) this.#announcer?.learned()', ''],
    ANNOUNCE
  ),
  mutant(
    'last-write-not-said',
    'A close says what was acknowledged and not said yet.',
    'replica/announce.ts',
    ['if (this.#stopped) return this.#flush() const last', 'if (this.#stopped) return\nconst last'],
    ANNOUNCE
  )
]

const TWO_WAYS = ['dag/two-ways.test.ts']

const others: Mutant[] = [
  mutant(
    'fetcher-before-exchange',
    'The block fetcher is asked for what no peer of the sync protocol brings, and for nothing else.',
    'dag/two-ways.ts',
    ['await this.#headStart(exchanging)', ''],
    TWO_WAYS
  ),
  mutant(
    'fetcher-after-slow-exchange',
    'Peers of the sync protocol that are slow hold up the block fetcher for a short time only.',
    'dag/two-ways.ts',
    ['await Promise.race([exchanging, promise])', 'await exchanging'],
    TWO_WAYS
  ),
  mutant(
    'fetcher-waited-for-without-end',
    'A block fetcher that does not end when it is told to holds up nothing.',
    'dag/two-ways.ts',
    [
      'await untilAborted(this.#begin(id, controller.signal), controller.signal)',
      'await this.#begin(id, controller.signal)'
    ],
    TWO_WAYS
  ),
  mutant(
    'fetcher-without-bound',
    'Requests that a block fetcher does not end are bounded, and none is made twice.',
    'dag/two-ways.ts',
    ['if (this.#underWay.has(id) || this.#underWay.size >= 2 * limits.fetchConcurrency) return', ''],
    TWO_WAYS
  ),
  mutant(
    'fetcher-goes-on-after-abort',
    'Whoever is told to stop asks no block fetcher any more.',
    'dag/two-ways.ts',
    [
      "options.signal.addEventListener('abort', onAbort) asked.set(id, controller)",
      'asked.set(id, controller)'
    ],
    TWO_WAYS
  ),
  mutant(
    'block-put-after-commit',
    'A block is in the blockstore, from where Go peers are served, before its commit and so before it is announced.',
    'replica/merge.ts',
    [
      'if (log.hasBlockstore) await log.putBlocks(this.#nodes)',
      'if (log.hasBlockstore) setTimeout(() => void log.putBlocks(this.#nodes), 5)'
    ],
    ['create.test.ts']
  ),
  mutant(
    'asked-before-it-came',
    'A Go peer that asked for a block before it was here is served once it is.',
    'helia/over-helia.ts',
    ['for (const broker of blockBrokers) broker.announce?.(cid).catch(() => {})', ''],
    ['helia/over-helia.test.ts']
  ),
  mutant(
    'newcomer-told-nothing-old',
    'A peer that came and can only hear is told also the heads that were said before.',
    'replica/announce.ts',
    ['this.#said.clear() this.learned()', 'this.learned()'],
    ['replica/announce.test.ts']
  ),
  mutant(
    'newcomers-told-each',
    'However many peers come, all heads are said again no more often than once in a while.',
    'replica/newcomers.ts',
    ['Math.max(0, this.#toldAt + limits.newcomerGapMs - clock.now())', '0'],
    ['replica/announce.test.ts']
  ),
  mutant(
    'newcomer-told-once',
    'A newcomer is told once more when gossip has had the time to reach it.',
    'replica/newcomers.ts',
    ['const TIMES = 2', 'const TIMES = 1'],
    ['replica/announce.test.ts']
  ),
  mutant(
    'newcomer-before-start-forgotten',
    'A peer that is on the topic when a store starts is told its heads.',
    'replica/newcomers.ts',
    ['if (this.#timesLeft > 0) this.#tellIn(0)', ''],
    ['replica/announce.test.ts']
  ),
  mutant(
    'newcomer-not-announced-to',
    'A Go peer that joins is told the heads long before the next rebroadcast.',
    'replica/replica.ts',
    ['this.#announcer?.newcomer()', ''],
    ['helia/over-helia.test.ts']
  ),
  mutant(
    'bystander-stays',
    'A peer that left the topic or the network counts no more as one that can be asked.',
    'libp2p/sync/bystanders.ts',
    ['remove(peer: PeerName): void { this.#peers.delete(peer) }', 'remove(_peer: PeerName): void {}'],
    ['libp2p/bystanders.test.ts']
  )
]

const end: Mutant[] = [
  mutant(
    'timer-of-gaps-left',
    'A close leaves no timer running: gaps.',
    'replica/gap-retry.ts',
    ['this.#stopped = true this.#init.clock.clearTimeout(this.#timer)', 'this.#stopped = true'],
    ['replica/close.test.ts']
  ),
  mutant(
    'timer-of-retry-left',
    'A close leaves no timer running: commits that are tried again.',
    'replica/writer.ts',
    ['this.#init.clock.clearTimeout(this.#retryTimer)', ''],
    ['replica/writer.test.ts', 'replica/close.test.ts', 'storage/failing-disk.test.ts']
  ),
  mutant(
    'timer-of-rebroadcast-left',
    'A close leaves no timer running: rebroadcasts.',
    'replica/announce.ts',
    ['[this.#rebroadcastTimer, this.#relayTimer, this.#flushTimer]', '[this.#relayTimer, this.#flushTimer]'],
    ['replica/close.test.ts', 'replica/announce.test.ts']
  ),
  mutant(
    'waiting-write-hangs-on-close',
    'A write that waits when the store is closed is rejected.',
    'replica/replica.ts',
    ['this.#queue.clear(new ClosedError())', ''],
    ['replica/close.test.ts']
  )
]

const query: Mutant[] = [
  mutant(
    'query-prefix-of-half-a-letter',
    'A query finds the keys that start with its prefix, and no others.',
    'storage/set-store.ts',
    ['if (key.startsWith(prefix)) entries.push({ key,', 'entries.push({ key,'],
    ['query.test.ts', 'datastore-keys.test.ts']
  ),
  mutant(
    'query-prefix-by-segment',
    'A prefix is the beginning of the text of a key: /a finds /ab.',
    'storage/set-store.ts',
    [
      'if (key.startsWith(prefix)) entries.push({ key,',
      "if (key === prefix || key.startsWith(prefix.replace(/\\/?$/, '/'))) entries.push({ key,"
    ],
    ['query.test.ts', 'datastore-keys.test.ts']
  ),
  mutant(
    'query-limit-without-offset',
    'A limit counts what comes after the offset.',
    'query.ts',
    ['if (index >= offset + limit) return', 'if (index >= limit) return'],
    ['query.test.ts']
  )
]

export const NETWORK_MUTANTS: readonly Mutant[] = [
  ...ingest,
  ...fetch,
  ...announce,
  ...others,
  ...end,
  ...query
]
