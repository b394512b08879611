/**
 * Where a Go peer shows something else than its own blocks mean: which named defect of go-ds-crdt that is.
 *
 * Invariant: the blocks are Go's own, and their meaning is the oracle's; a difference that no defect explains is told as
 * such, for the test to fail.
 */
import { decodeNode, type Node } from '../../src/testkit/oracle/block.ts'
import { canonicalKey, type OracleState, oracle } from '../../src/testkit/oracle/oracle.ts'

/** Defects of go-ds-crdt; docs/go-interop.md describes each under this name. */
export type Defect =
  | 'a key twice in one delta'
  | 'an empty value'
  | 'a key that is not canonical'
  | 'a key above the root'
  | 'an extension'
  | 'a write that a kill cut off'
  | 'a stale value under concurrent merges'

export interface Difference {
  key: string
  /** What Go shows, if anything, and what it should. In base64, to print well. */
  shown: string | undefined
  expected: string | undefined
  /** Undefined where nothing explains it. */
  defect: Defect | undefined
}

/** Everything that the blocks say of one key. */
interface Evidence {
  /** The values that each node gives the key, in their order. */
  values: Uint8Array[][]
  tombstones: number
  /** Whether all elements spell the key as it is shown. */
  isCanonical: boolean
  /** Whether a delta that touches it requires a feature, of which Go knows nothing. */
  isDeferred: boolean
}

/**
 * What a Go peer shows against what its blocks mean.
 *
 * @param blocks - at and below its heads.
 * @param stored - all that are in its blockstore, if it was killed: Go writes an element before the head that leads to it.
 */
export function differencesOf(
  shown: ReadonlyMap<string, Uint8Array>,
  blocks: readonly Uint8Array[],
  stored: readonly Uint8Array[] = blocks
): Difference[] {
  const cutOff = oracle(stored).state
  const meaning: OracleState = oracle(blocks)
  const nodes = blocks.map(decodeNode)
  const evidence = evidenceIn(nodes)
  const differences: Difference[] = []
  const climbs = nodes.some(({ delta }) => delta?.elements.some(({ key }) => canonicalKey(key) === undefined))
  for (const key of new Set([...shown.keys(), ...meaning.state.keys()])) {
    const value = shown.get(key)
    const expected = meaning.state.get(key)
    if (value !== undefined && expected !== undefined && Buffer.compare(value, expected) === 0) continue
    differences.push({
      key,
      ...{ shown: inBase64(value), expected: inBase64(expected) },
      defect: explain()
    })

    function explain(): Defect | undefined {
      if (climbs === true && canonicalKey(key) !== key) return 'a key above the root'
      const isCutOff = stored !== blocks && inBase64(cutOff.get(key)) === inBase64(value)
      return isCutOff ? 'a write that a kill cut off' : defectBehind(evidence.get(key), value)
    }
  }
  return differences
}

function inBase64(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('base64')
}

function evidenceIn(nodes: readonly Node[]): Map<string, Evidence> {
  const evidence = new Map<string, Evidence>()
  const of = (key: string): Evidence => {
    const known = evidence.get(key) ?? { values: [], tombstones: 0, isCanonical: true, isDeferred: false }
    evidence.set(key, known)
    return known
  }
  for (const { delta } of nodes) {
    const values = new Map<string, Uint8Array[]>()
    for (const { key: sent, value } of delta?.elements ?? []) {
      const key = canonicalKey(sent)
      if (key === undefined) continue
      values.set(key, [...(values.get(key) ?? []), value])
      if (key !== sent) of(key).isCanonical = false
      if (delta?.requires.length !== 0) of(key).isDeferred = true
    }
    for (const [key, given] of values) of(key).values.push(given)
    for (const { key: sent } of delta?.tombstones ?? []) {
      const key = canonicalKey(sent)
      if (key === undefined) continue
      of(key).tombstones += 1
      if (delta?.requires.length !== 0) of(key).isDeferred = true
    }
  }
  return evidence
}

/** The first defect that can show this value, or none, of a key of which the blocks say this. */
function defectBehind(evidence: Evidence | undefined, shown: Uint8Array | undefined): Defect | undefined {
  if (evidence === undefined) return undefined
  const { values, tombstones, isCanonical, isDeferred } = evidence
  const isOfKey = (value: Uint8Array): boolean =>
    values.some((given) => given.some((one) => Buffer.compare(one, value) === 0))
  // No defect makes values up.
  if (shown !== undefined && !isOfKey(shown)) return undefined
  if (isDeferred) return 'an extension'
  if (values.some((given) => given.length > 1)) return 'a key twice in one delta'
  // All others need a value that was worked out again, which only a tombstone leads to.
  if (tombstones === 0) return undefined
  if (!isCanonical) return 'a key that is not canonical'
  if (shown === undefined && isOfKey(new Uint8Array(0))) return 'an empty value'
  return 'a stale value under concurrent merges'
}
