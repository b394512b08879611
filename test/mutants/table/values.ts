// Faults in what a key is worth: the merge rule, versions that are removed, and the digest of all that is alive.
import { type Mutant, mutant } from '../mutant.ts'

const RULE = ['crdt/merge-rule.test.ts', 'crdt/or-set.test.ts']

const winner: Mutant[] = [
  mutant(
    'tie-by-length',
    'Between equal priorities the greatest bytes win, and not the longest value.',
    'crdt/winner.ts',
    ['const length = Math.min(a.length, b.length)', 'const length = a.length === b.length ? a.length : 0'],
    RULE
  ),
  mutant(
    'tie-least-value',
    'Between equal priorities the greatest value wins, and not the least.',
    'crdt/winner.ts',
    ['if (byValue !== 0) return byValue', 'if (byValue !== 0) return -byValue'],
    RULE
  ),
  mutant(
    'tie-prefix-equal',
    'A value is greater than its own proper prefix.',
    'crdt/winner.ts',
    ['return a.length - b.length', 'return 0'],
    RULE
  ),
  mutant(
    'tie-signed-bytes',
    'Bytes are compared unsigned.',
    'crdt/winner.ts',
    [
      'const difference = (a[i] as number) - (b[i] as number)',
      'const difference = (((a[i] as number) << 24) >> 24) - (((b[i] as number) << 24) >> 24)'
    ],
    RULE
  ),
  mutant(
    'tie-least-block-id',
    'Between equal values the greater block id is the winner.',
    'crdt/winner.ts',
    ['a.id > b.id ? 1 : -1', 'a.id > b.id ? -1 : 1'],
    RULE
  ),
  mutant(
    'tie-first-come',
    'A tie is decided by the values, and not by which version came first.',
    'crdt/or-set.ts',
    ['if (priority < greatest) continue', 'if (priority <= greatest) continue'],
    RULE
  ),
  mutant(
    'winner-ignores-priority',
    'The greatest priority wins, whatever the values are.',
    'crdt/winner.ts',
    ['if (a.priority !== b.priority) return a.priority > b.priority ? 1 : -1', ''],
    RULE
  )
]

const tombstones: Mutant[] = [
  mutant(
    'tombstone-of-unseen-block-forgotten',
    'A tombstone whose block has not come yet is kept until it comes.',
    'crdt/or-set.ts',
    [
      'if (targetDagName === dagName && !this.isTombstoneRemembered(id)) return',
      'if ((targetDagName ?? dagName) === dagName && !this.isTombstoneRemembered(id)) return'
    ],
    RULE
  ),
  mutant(
    'tombstone-of-other-dag-forgotten',
    'A tombstone of another DAG is remembered, so that an element whose DAG is taken up again stays removed.',
    'crdt/or-set.ts',
    [
      'if (targetDagName === dagName && !this.isTombstoneRemembered(id)) return',
      'if (targetDagName !== undefined && !this.isTombstoneRemembered(id)) return'
    ],
    ['crdt/or-set.test.ts', 'crdt/merge-rule.test.ts', 'replica/purge.test.ts']
  ),
  mutant(
    'tombstone-of-own-dag-kept',
    'A tombstone is forgotten once the block of its own DAG has run: memory is bounded by what is alive.',
    'crdt/or-set.ts',
    ['if (remembered.size !== 1 || !remembered.has(dagName)) return', 'return'],
    RULE
  ),
  mutant(
    'tombstone-not-of-winner-ignored',
    'A tombstone removes exactly the version that it names, also one that does not win.',
    'crdt/or-set.ts',
    [
      'remove(id: BlockId, dagName: string, targetDagName: string | undefined): void { this.forget(id)',
      'remove(id: BlockId, dagName: string, targetDagName: string | undefined): void { if (id === this.#winner?.id) this.forget(id)'
    ],
    RULE
  ),
  mutant(
    'tombstone-removes-whole-key',
    'A tombstone leaves what was put beside the version that it names: add wins.',
    'crdt/or-set.ts',
    [
      'remove(id: BlockId, dagName: string, targetDagName: string | undefined): void { this.forget(id)',
      'remove(id: BlockId, dagName: string, targetDagName: string | undefined): void { for (const one of this.aliveIds()) this.forget(one)'
    ],
    RULE
  ),
  mutant(
    'removed-element-revives',
    'An element that comes after its tombstone stays removed.',
    'crdt/or-set.ts',
    [
      'const remembered = this.#tombstones?.get(id) if (remembered !== undefined) {',
      'const remembered = this.#tombstones?.get(id)\nif (remembered !== undefined && remembered.size > 1) {'
    ],
    RULE
  ),
  mutant(
    'purge-revives-what-others-removed',
    'An element that another DAG removed too stays removed when the tombstones of one DAG are purged.',
    'crdt/or-set.ts',
    ['if (remembered.size > 0) return false', ''],
    ['crdt/or-set.test.ts', 'replica/purge.test.ts']
  ),
  mutant(
    'delete-names-only-winner',
    'A delete names every alive version that the replica knows.',
    'replica/publish.ts',
    ['clear ? versions.aliveIds() :', 'clear ? versions.aliveIds().slice(0, 1) :'],
    ['crdt/local-writes.test.ts', 'replica/publish.test.ts']
  ),
  mutant(
    'delete-takes-longer-keys',
    'A delete of /a names no version of a key that begins with /a.',
    'storage/keys.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: It is the text of the source.
    ['return `${this.#namespace}/e${escapeText(key)}:`', 'return `${this.#namespace}/e${escapeText(key)}`'],
    ['crdt/local-writes.test.ts', 'storage/keys.test.ts']
  ),
  mutant(
    'tombstone-key-not-canonical',
    'The keys of received tombstones are made canonical as those of elements are.',
    'codec/node.ts',
    [
      'const key = canonicalKey(sentKey) const id = parseBlockId(sentId)',
      'const key = sentKey\nconst id = parseBlockId(sentId)'
    ],
    ['codec/node.test.ts', 'crdt/merge-rule.test.ts']
  ),
  mutant(
    'tombstone-without-slash-ignored',
    'The id of a tombstone is understood with and without its leading slash.',
    'codec/block-id.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: It is the text of the source.
    ["const id = text.startsWith('/') ? text : `/${text}`", 'const id = text'],
    ['codec/block-id.test.ts', 'codec/node.test.ts']
  ),
  mutant(
    'first-element-of-a-key-counts',
    'Of a key that stands twice in a received delta the last element counts.',
    'codec/node.ts',
    [
      'if (key !== undefined) elements.set(key,',
      'if (key !== undefined && !elements.has(key)) elements.set(key,'
    ],
    ['codec/node.test.ts', 'crdt/merge-rule.test.ts']
  )
]

const digest: Mutant[] = [
  mutant(
    'digest-counts-what-ceased',
    'The digest is that of what is alive: what ceased is taken out of it again.',
    'replica/state.ts',
    ['subtractHash(this.row.digest, hash)', 'addHash(this.row.digest, hash)'],
    ['crdt/merge-rule.test.ts']
  ),
  mutant(
    'digest-depends-on-order',
    'Equal sets have equal digests, in whatever order their elements came.',
    'crdt/digest.ts',
    [
      'const total = (sum[i] as number) + (hash[i] as number) + carry',
      'const total = (sum[i] as number) * 3 + (hash[i] as number) + carry'
    ],
    ['crdt/merge-rule.test.ts']
  ),
  mutant(
    'digest-drops-carry',
    'The digest is the sum modulo 2^256, as every replica computes it.',
    'crdt/digest.ts',
    ['carry = total >> 8', 'carry = 0'],
    ['crdt/merge-rule.test.ts']
  ),
  mutant(
    'digest-blind-to-keys',
    'The digest tells apart two elements of one block by their keys.',
    'codec/element-hash.ts',
    ['sha256(writer.digest(id).text(key).finish())', 'sha256(writer.digest(id).finish())'],
    ['crdt/merge-rule.test.ts', 'datastore.test.ts', 'crdt/convergence.test.ts']
  ),
  mutant(
    'element-counter-on-delete',
    'The counters of the state are those of its rows.',
    'replica/state.ts',
    ['this.row.elements -= 1', ''],
    ['crdt/merge-rule.test.ts', 'check/sound.test.ts']
  )
]

export const VALUE_MUTANTS: readonly Mutant[] = [...winner, ...tombstones, ...digest]
