/**
 * Asks once for blocks by id, without remembering them as wanted.
 */
import type { BlockId } from '../crdt/delta.ts'
import type { BlockExchange, Clock, ReceivedBlock } from '../replica/ports.ts'

export interface FetchOnceInit {
  exchange: BlockExchange
  clock: Clock
  /** How long it may go without a block arriving. */
  timeoutMs: number
}

/** Blocks from whoever has them, unverified. Ends when nothing came for a while. */
export async function* fetchOnce(
  { exchange, clock, timeoutMs }: FetchOnceInit,
  ids: readonly BlockId[]
): AsyncGenerator<ReceivedBlock> {
  if (ids.length === 0) return
  const controller = new AbortController()
  const patience = (): unknown => clock.setTimeout(() => controller.abort(), timeoutMs)
  let timer = patience()
  try {
    for await (const block of exchange.fetch(ids, { peers: exchange.peers(), signal: controller.signal })) {
      clock.clearTimeout(timer)
      yield block
      timer = patience()
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error
  } finally {
    clock.clearTimeout(timer)
    controller.abort()
  }
}
