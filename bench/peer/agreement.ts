/**
 * Checks that two peers have the same.
 */
import { checkEqual } from '../benchmark.ts'
import type { PeerProcess } from './process.ts'

/** Milliseconds from one time of a peer to another. */
export function millisecondsBetween(start: bigint, end: bigint): number {
  return Number(end - start) / 1e6
}

/** Checks that two peers have equal digests, and so many nodes and keys. */
export async function checkAgreement(
  first: PeerProcess,
  second: PeerProcess,
  expected: { nodes: number; keys: number }
): Promise<void> {
  const states = await Promise.all([first.call('state'), second.call('state')])
  for (const { digest, nodes, keys } of states) {
    checkEqual(digest, states[0].digest, 'the digests')
    checkEqual(nodes, expected.nodes, 'nodes')
    checkEqual(keys, expected.keys, 'keys')
  }
}
