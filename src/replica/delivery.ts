/**
 * How blocks from peers come in: one after the other, no more than there is room for, and not all at a stretch.
 */
import { breather } from '../breather.ts'
import type { BlockId } from '../crdt/delta.ts'
import { type Eventual, whenReady } from '../eventual.ts'
import type { Ingest } from './ingest.ts'
import type { Clock, ReceivedBlock } from './ports.ts'

export interface DeliveryInit {
  ingest: Ingest
  clock: Clock
  isStopped(): boolean
  /** What was perhaps the last that was looked for is here already. */
  wasKnown(): void
}

/** Takes a block, and says whether it was new; at once where nothing has to be waited for. */
export type Deliver = (block: ReceivedBlock, expected: ReadonlySet<BlockId> | undefined) => Eventual<boolean>

export function deliveryTo({ ingest, clock, isStopped, wasKnown }: DeliveryInit): Deliver {
  // A stream that has much buffered would otherwise be taken whole before anything else gets its turn.
  const breathe = breather(clock)
  const take: Deliver = (block, expected) => {
    if (isStopped()) return false
    return whenReady(ingest.receive(block, expected), (receipt) => {
      if (receipt === 'known') wasKnown()
      return receipt === 'new'
    })
  }
  return (block, expected) =>
    whenReady(ingest.room(), () => whenReady(breathe(), () => take(block, expected)))
}
