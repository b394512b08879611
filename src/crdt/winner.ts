/**
 * The rule that decides which of a key's alive elements is its value.
 *
 * Greatest priority first; between equal priorities the lexicographically greatest value bytes; between equal
 * values the greater block id, which decides nothing in go-ds-crdt and gives every version a rank here.
 */
import type { BlockId } from './delta.ts'

/** One alive element of a key. */
export interface Version {
  id: BlockId
  priority: bigint
  value: Uint8Array
}

/** Byte by byte, a proper prefix is smaller: Go's `bytes.Compare`, and never by length first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Positive when `a` wins over `b`. */
export function compareVersions(a: Version, b: Version): number {
  if (a.priority !== b.priority) return a.priority > b.priority ? 1 : -1
  const byValue = compareBytes(a.value, b.value)
  if (byValue !== 0) return byValue
  return a.id === b.id ? 0 : a.id > b.id ? 1 : -1
}

/** The winner among alive versions, or undefined where there is none. */
export function pickWinner(versions: Iterable<Version>): Version | undefined {
  let winner: Version | undefined
  for (const version of versions) {
    if (winner === undefined || compareVersions(version, winner) > 0) winner = version
  }
  return winner
}
