/**
 * Keys that are only ever written together, all with one value, in one batch: whoever reads them sees one value, or none
 * at all, or has seen half of a commit.
 */
import type { SimulatedReplica } from '../simulated-replica.ts'

const PREFIX = '/together/'

export const TOGETHER_KEYS = ['0', '1', '2', '3'].map((name) => PREFIX + name)

/** What a replica shows of them: as many values as there are keys. */
export async function readTogether({ store }: SimulatedReplica): Promise<string[]> {
  const values: string[] = []
  for await (const { value } of store.query({ prefix: PREFIX })) values.push(new TextDecoder().decode(value))
  const missing = values.length === 0 ? 0 : TOGETHER_KEYS.length - values.length
  return [...values, ...Array.from({ length: missing }, () => '(missing)')]
}
