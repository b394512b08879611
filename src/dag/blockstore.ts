/**
 * Blocks in a blockstore that the app gives, such as Helia's, in place of the log.
 *
 * Invariant: what is read is what was put by this store: the network is not asked for it.
 */
import type { CID } from 'multiformats/cid'
import { cidFromBlockId } from '../codec/block-id.ts'
import type { BlockId } from '../crdt/delta.ts'
import type { BlockSource } from '../storage/log-store.ts'

/** The parts of interface-blockstore that are used; versions differ in what `get` returns. */
export interface Blockstore {
  /** Throws a `NotFoundError` where there is no such block. With `offline` nobody else may be asked for it. */
  get(cid: CID, options?: { offline?: boolean; signal?: AbortSignal }): BlockstoreBytes
  /** The block is durable when this returns, or when the promise that it returns resolves. */
  put(cid: CID, bytes: Uint8Array): unknown
}

/** What a block that is not there is called; the second one by Helia, where nobody else may be asked. */
const ABSENT: ReadonlySet<unknown> = new Set(['NotFoundError', 'BlockNotFoundWhileOfflineError'])

export type BlockstoreBytes =
  | Uint8Array
  | Promise<Uint8Array>
  | Iterable<Uint8Array>
  | AsyncIterable<Uint8Array>

export function blockSourceOver(blockstore: Blockstore): BlockSource {
  return {
    async get(id: BlockId): Promise<Uint8Array | undefined> {
      try {
        return await bytesOf(blockstore.get(cidFromBlockId(id), { offline: true }))
      } catch (error) {
        if (ABSENT.has((error as { name?: unknown }).name)) return undefined
        throw error
      }
    },
    async put(id: BlockId, bytes: Uint8Array): Promise<void> {
      // Some blockstores keep the very bytes, and some clone the whole buffer that they lie in, such as IndexedDB. A Buffer,
      // as sockets give it, would copy nothing by its `slice`.
      await blockstore.put(cidFromBlockId(id), new Uint8Array(bytes))
    }
  }
}

/** The bytes of a block, whichever way they are given. */
export async function bytesOf(given: BlockstoreBytes): Promise<Uint8Array> {
  const settled = await given
  if (settled instanceof Uint8Array) return settled
  const chunks: Uint8Array[] = []
  for await (const chunk of settled) chunks.push(chunk)
  const [only] = chunks
  if (only !== undefined && chunks.length === 1) return only
  const bytes = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const chunk of chunks) {
    bytes.set(chunk, position)
    position += chunk.length
  }
  return bytes
}
