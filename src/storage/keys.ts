/**
 * The layout of the store: the only place where a row's key is spelled.
 *
 * | row                        | key below the namespace      | value (see rows.ts)                    |
 * | -------------------------- | ---------------------------- | -------------------------------------- |
 * | meta                       | `/m`                         | layout, least reader, topic (JSON)     |
 * | state                      | `/s`                         | clock, sequence, digest, counters, heads |
 * | current value of a key     | `/k<key>`                    | priority, other versions, id, value    |
 * | another alive version      | `/e<key>:<id>`               | priority                               |
 * | tombstone                  | `/t<key>:<id>`               | DAG names                              |
 * | applied node               | `/a<id>`                     | sequence, priority, origin, DAG name   |
 * | log of commits             | `/b/<sequence>`              | id, and the block unless it is elsewhere |
 * | head, where they are many  | `/h/<dag name>:<id>`         | priority                               |
 * | pending block              | `/p<id>`                     | announcing peer, block                 |
 * | wanted head                | `/w<id>`                     | one byte                               |
 * | gap                        | `/g<missing id>:<id>`        | sequence and DAG name of who links     |
 * | deferred node              | `/d<id>`                     | the features it requires               |
 * | ignored DAG                | `/i/<dag name>:`             | whether nothing of it is left          |
 * | scratch                    | `/x/...`                     | the same rows, derived anew by a check |
 * | journal                    | `/j`                         | a change set                           |
 *
 * Invariants: every key is printable ASCII, whatever script the user's keys are in, so that prefix queries of
 * any interface-datastore find them (datastore-level's end at prefix + U+00FF); escaping keeps prefixes, so a
 * query by the user's prefix is a query by prefix of rows; `:` stands in no escaped text, so it ends one
 * unambiguously; sequence numbers have a fixed width, so their order is the order of their rows.
 */
import type { BlockId } from '../crdt/delta.ts'

/** The layout that this version writes. */
export const LAYOUT = 1

/** Sequence numbers are 14 hexadecimal digits, into which 2^53 fits. */
const SEQUENCE_DIGITS = 14

const PLAIN = /^[!-$&-9;-~]*$/
const ESCAPED_BYTE = /[^!-$&-9;-~]/
const encoder = new TextEncoder()
/** A byte order mark at the start of a name is a part of it. */
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Text as printable ASCII without `:`, `%` and spaces but as escapes, byte by byte of its UTF-8. */
export function escapeText(text: string): string {
  // Nearly all are. A key of a batch takes 27% more of the main thread if this is found byte by byte, and a merged delta 10%.
  if (PLAIN.test(text)) return text
  let escaped = ''
  for (const byte of encoder.encode(text)) {
    const char = String.fromCharCode(byte)
    escaped += ESCAPED_BYTE.test(char) ? `%${byte.toString(16).padStart(2, '0').toUpperCase()}` : char
  }
  return escaped
}

/** The inverse of `escapeText`. */
export function unescapeText(escaped: string): string {
  if (!escaped.includes('%')) return escaped
  const bytes: number[] = []
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] === '%') {
      bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16))
      i += 2
    } else bytes.push(escaped.charCodeAt(i))
  }
  return decoder.decode(new Uint8Array(bytes))
}

/** The keys of all rows of one namespace. */
export class Layout {
  readonly meta: string
  readonly state: string
  readonly journal: string
  readonly all: string
  readonly allOthers: string
  readonly allTombstones: string
  readonly logEntries: string
  readonly heads: string
  readonly appliedNodes: string
  readonly pending: string
  readonly wanted: string
  readonly gaps: string
  readonly deferred: string
  readonly ignored: string
  readonly #current: string
  readonly #allCurrent: string
  readonly #namespace: string

  /** @param namespace - canonical, such as `/crdt`. */
  constructor(namespace: string) {
    this.#namespace = namespace
    this.meta = `${namespace}/m`
    this.state = `${namespace}/s`
    this.journal = `${namespace}/j`
    this.all = `${namespace}/`
    this.allOthers = `${namespace}/e/`
    this.allTombstones = `${namespace}/t/`
    this.logEntries = `${namespace}/b/`
    this.heads = `${namespace}/h/`
    this.appliedNodes = `${namespace}/a/`
    this.pending = `${namespace}/p/`
    this.wanted = `${namespace}/w/`
    this.gaps = `${namespace}/g/`
    this.deferred = `${namespace}/d/`
    this.ignored = `${namespace}/i/`
    this.#current = `${namespace}/k`
    this.#allCurrent = `${namespace}/k/`
  }

  current(key: string): string {
    return this.#current + escapeText(key)
  }

  /** Whether a row is the current value of a key. */
  isCurrent(row: string): boolean {
    return row.startsWith(this.#allCurrent)
  }

  /** The prefix of the current rows of all keys that start with `prefix`, which need not be a whole key. */
  currentPrefix(prefix: string): string {
    // A prefix may end in half a surrogate pair; the caller filters for it, the rows are found without it.
    const whole = /[\uD800-\uDBFF]$/.test(prefix) ? prefix.slice(0, -1) : prefix
    return `${this.#current}/${escapeText(whole.replace(/^\//, ''))}`
  }

  keyOfCurrent(row: string): string {
    return unescapeText(row.slice(this.#current.length))
  }

  others(key: string): string {
    return `${this.#namespace}/e${escapeText(key)}:`
  }

  other(key: string, id: BlockId): string {
    return this.others(key) + id.slice(1)
  }

  tombstone(key: string, id: BlockId): string {
    return `${this.#namespace}/t${escapeText(key)}:${id.slice(1)}`
  }

  applied(id: BlockId): string {
    return `${this.#namespace}/a${id}`
  }

  log(sequence: number): string {
    return `${this.#namespace}/b/${sequence.toString(16).padStart(SEQUENCE_DIGITS, '0')}`
  }

  sequenceOfLog(row: string): number {
    return Number.parseInt(row.slice(-SEQUENCE_DIGITS), 16)
  }

  head(dagName: string, id: BlockId): string {
    return `${this.heads}${escapeText(dagName)}:${id.slice(1)}`
  }

  dagNameOfHead(row: string): string {
    return unescapeText(row.slice(this.heads.length, row.lastIndexOf(':')))
  }

  pendingBlock(id: BlockId): string {
    return `${this.#namespace}/p${id}`
  }

  wantedHead(id: BlockId): string {
    return `${this.#namespace}/w${id}`
  }

  gapsOf(missing: BlockId): string {
    return `${this.#namespace}/g${missing}:`
  }

  gap(missing: BlockId, linkedBy: BlockId): string {
    return this.gapsOf(missing) + linkedBy.slice(1)
  }

  missingOfGap(row: string): BlockId {
    return `/${row.slice(this.gaps.length, row.lastIndexOf(':'))}`
  }

  deferredNode(id: BlockId): string {
    return `${this.#namespace}/d${id}`
  }

  ignoredDag(dagName: string): string {
    // Some datastores drop a slash from the end of a key, and the unnamed DAG's row would end in one.
    return `${this.ignored}${escapeText(dagName)}:`
  }

  dagNameOfIgnored(row: string): string {
    return unescapeText(row.slice(this.ignored.length, -1))
  }

  /** The key of a version or a tombstone. */
  keyOfVersion(row: string): string {
    return unescapeText(row.slice(this.#namespace.length + 2, row.lastIndexOf(':')))
  }

  /** The rows of a state that is derived anew, to compare with. */
  scratch(): Layout {
    return new Layout(`${this.#namespace}/x`)
  }

  /** The row that is here what a row of another layout is there. */
  rebase(row: string, from: Layout): string {
    return this.#namespace + row.slice(from.#namespace.length)
  }

  /** The id that ends a row's key, after `/` or `:`. */
  idOf(row: string): BlockId {
    return `/${row.slice(Math.max(row.lastIndexOf(':'), row.lastIndexOf('/')) + 1)}`
  }
}
