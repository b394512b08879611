/**
 * What a stream of either libp2p is turned into first. Types only.
 */
import type { Uint8ArrayList } from 'uint8arraylist'

/** What arrives or is sent, in one piece or several. */
export type Bytes = Uint8Array | Uint8ArrayList

/** A stream of either libp2p, in the least that both can do. */
export interface ChunkStream {
  /** The next bytes that came, or undefined at the end of what the other side sends. */
  next(): Promise<Uint8Array | undefined>
  write(bytes: Bytes): Promise<void>
  /** Says that nothing more will be written, once everything was. */
  closeWrite(): Promise<void>
  abort(error: Error): void
}
