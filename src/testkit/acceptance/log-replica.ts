/**
 * A replica as its exchange sees it, in memory and without a merge rule: a log of nodes and who links to whom.
 *
 * Invariant: a node is in the log once, and its sequence number is its place there.
 */
import { blockIdOf } from '../../codec/block-id.ts'
import { decodeNode, encodeNode } from '../../codec/node.ts'
import type { BlockId } from '../../crdt/delta.ts'
import type { LogEntry, PeerClaim, PeerName, ReplicaSnapshot, ReplicaView } from '../../replica/ports.ts'

let generations = 0

export class LogReplica implements ReplicaView {
  readonly log: LogEntry[] = []
  readonly claims: Array<{ peer: PeerName; claim: PeerClaim }> = []
  readonly left: PeerName[] = []
  /** Peers that came and can only hear and say heads. */
  readonly came: PeerName[] = []
  generation = `generation ${++generations}`
  groundLimit = Number.MAX_SAFE_INTEGER
  gaps = 0
  ignoredDags: string[] = []
  digest = new Uint8Array(32)
  onClaim: (peer: PeerName, claim: PeerClaim) => void = () => {}
  readonly #sequences = new Map<BlockId, number>()
  readonly #nodes = new Map<BlockId, { links: BlockId[]; dagName: string }>()
  readonly #heads = new Map<BlockId, string>()

  /** Writes a node on top of the heads of its DAG, or of those given. */
  async write(
    key: string,
    options: { dagName?: string; links?: BlockId[]; size?: number } = {}
  ): Promise<BlockId> {
    const { dagName = '', size = 8 } = options
    const links = options.links ?? [...this.#heads].filter(([, dag]) => dag === dagName).map(([id]) => id)
    const value = new Uint8Array(size)
    const elements = [{ key: `/${key}`, value }]
    const bytes = encodeNode({ elements, tombstones: [], priority: 1n, dagName, requires: [] }, links)
    return await this.apply(bytes)
  }

  async writeMany(prefix: string, count: number, dagName = ''): Promise<void> {
    for (let index = 0; index < count; index++) await this.write(`${prefix}${index}`, { dagName })
  }

  /** Applies a block, whatever it links to. */
  async apply(bytes: Uint8Array): Promise<BlockId> {
    const id = await blockIdOf(bytes)
    const { links, delta } = decodeNode(id, bytes)
    this.#append(id, bytes, links, delta.dagName)
    return id
  }

  #append(id: BlockId, bytes: Uint8Array, links: BlockId[], dagName: string): void {
    if (this.#sequences.has(id)) return
    const sequence = this.log.length + 1
    this.log.push({ sequence, id, bytes })
    this.#sequences.set(id, sequence)
    this.#nodes.set(id, { links, dagName })
    this.#heads.set(id, dagName)
    for (const link of links) this.#heads.delete(link)
  }

  async applyAll(blocks: AsyncIterable<{ bytes: Uint8Array }>): Promise<number> {
    let count = 0
    for await (const { bytes } of blocks) {
      await this.apply(bytes)
      count++
    }
    return count
  }

  copyFrom(other: LogReplica, filter: (entry: LogEntry) => boolean = () => true): void {
    for (const entry of other.log.filter(filter)) {
      const { links, dagName } = other.#nodes.get(entry.id) ?? { links: [], dagName: '' }
      this.#append(entry.id, entry.bytes, links, dagName)
    }
  }

  ids(): BlockId[] {
    return this.log.map(({ id }) => id)
  }

  has(id: BlockId): boolean {
    return this.#sequences.has(id)
  }

  linksOf(id: BlockId): BlockId[] {
    return this.#nodes.get(id)?.links ?? []
  }

  snapshot(): ReplicaSnapshot {
    return {
      heads: [...this.#heads].map(([id, dagName]) => ({ id, dagName })),
      digest: this.digest,
      sequence: this.log.length,
      generation: this.generation,
      gaps: this.gaps,
      deferred: 0,
      ignoredDags: this.ignoredDags
    }
  }

  async appliedBlock(id: BlockId): Promise<Uint8Array | undefined> {
    return this.log[(this.#sequences.get(id) ?? 0) - 1]?.bytes
  }

  async sequenceOf(id: BlockId): Promise<number | undefined> {
    return this.#sequences.get(id)
  }

  async *readLog(from: number, to: number): AsyncGenerator<LogEntry> {
    for (let sequence = from; sequence <= Math.min(to, this.log.length); sequence++) {
      yield this.log[sequence - 1] as LogEntry
    }
  }

  async *readLogBackwards(from: number, to: number): AsyncGenerator<LogEntry> {
    for (let sequence = Math.min(to, this.log.length); sequence >= from; sequence--) {
      yield this.log[sequence - 1] as LogEntry
    }
  }

  commonGroundLimit(): number {
    return this.groundLimit
  }

  peerClaims(peer: PeerName, claim: PeerClaim): void {
    this.claims.push({ peer, claim })
    this.onClaim(peer, claim)
  }

  peerCame(peer: PeerName): void {
    this.came.push(peer)
  }

  peerLeft(peer: PeerName): void {
    this.left.push(peer)
  }
}
