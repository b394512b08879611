/**
 * Whatever was acknowledged is kept: every value that was put is in some node, and every version that its deleter saw
 * is removed for good.
 */
import { canonicalKey } from '../oracle/oracle.ts'
import type { WriteRecord } from '../simulation/record.ts'
import { ensure } from './check-error.ts'
import type { KnownBlocks, ReadNode } from './known-blocks.ts'

const CHECK = 'acknowledged writes are kept'

/**
 * @param nodes - the DAG of any replica once all are level, or that of the writer.
 * @param blocks - where it was read.
 * @param writer - whose writes alone are looked at.
 * @throws CheckError
 */
export function checkAcknowledged(
  nodes: readonly ReadNode[],
  blocks: KnownBlocks,
  writes: WriteRecord,
  writer?: string
): void {
  const written = new Set<string>()
  const idOf = new Map<string, string>()
  for (const { cid, read } of nodes) {
    const { id, delta } = read
    idOf.set(cid, id)
    for (const { key, value } of delta?.elements ?? []) {
      written.add(`${canonicalKey(key)} ${new TextDecoder().decode(value)}`)
    }
  }
  const { tombstones } = blocks.meaning(nodes)
  for (const write of writes.acknowledged) {
    const { replica, values, seen } = write
    if (write.mayBeLost || (writer !== undefined && replica !== writer)) continue
    for (const [key, value] of values) {
      // A value that stands more than once is found all the same, so most values are unique.
      const isKept = value === undefined || written.has(`${key} ${value}`) || writes.isSuperseded(write, key)
      ensure(isKept, CHECK, () => `${replica} put ${value} to ${key}, and no node has it`)
    }
    for (const [key, cids] of seen) {
      for (const cid of cids) {
        // A version that only the lost disk of another replica had is gone anyway.
        const id = idOf.get(cid)
        const isRemoved = id === undefined || tombstones.get(key)?.includes(id) === true
        ensure(isRemoved, CHECK, () => `${replica} deleted ${key} and saw ${cid}, which no node removes`)
      }
    }
  }
}
