/**
 * Compares the rows of a store with those that were derived anew, kind by kind, in both directions.
 *
 * Rows are compared while writes go on, so a difference found here is a suspicion: it counts once it is still there
 * when no commit is under way and both sides have the same nodes.
 *
 * Invariant: a bounded number of rows is in memory, and no order of rows is relied on.
 */
import { equals } from 'multiformats/bytes'
import { parseBlockId } from '../codec/block-id.ts'
import type { Layout } from '../storage/keys.ts'
import type { RowStore } from '../storage/row-store.ts'
import { decodeApplied } from '../storage/rows.ts'
import type { RowDifference, RowKind } from './difference.ts'

/** Rows that are compared at once. */
const HAND = 256
/** Those of values, which may be as large as a delta. */
const VALUES_HAND = 16

export interface Sides {
  rows: RowStore
  live: Layout
  derived: Layout
  /** Called for every hand of rows before it is compared; lets others run, and throws where the check is to end. */
  onRows(count: number): Promise<void>
}

/** A kind of rows that is derived from the log, with the prefix of its rows below the namespace. */
export interface DerivedKind {
  kind: RowKind
  prefix(layout: Layout): string
  /** What the row is about. */
  about(layout: Layout, row: string): Pick<RowDifference, 'key' | 'id'>
}

const ofNode = (layout: Layout, row: string): Pick<RowDifference, 'id'> => ({ id: layout.idOf(row) })

export const DERIVED_KINDS: readonly DerivedKind[] = [
  { kind: 'applied', prefix: (layout) => layout.appliedNodes, about: ofNode },
  {
    kind: 'value',
    prefix: (layout) => layout.currentPrefix(''),
    about: (layout, row) => ({ key: layout.keyOfCurrent(row) })
  },
  {
    kind: 'version',
    prefix: (layout) => layout.allOthers,
    about: (layout, row) => ({ key: layout.keyOfVersion(row), id: layout.idOf(row) })
  },
  {
    kind: 'tombstone',
    prefix: (layout) => layout.allTombstones,
    about: (layout, row) => ({ key: layout.keyOfVersion(row), id: layout.idOf(row) })
  },
  { kind: 'head', prefix: (layout) => layout.heads, about: ofNode },
  {
    kind: 'gap',
    prefix: (layout) => layout.gaps,
    about: (layout, row) => ({ id: layout.missingOfGap(row) })
  },
  { kind: 'deferred', prefix: (layout) => layout.deferred, about: ofNode }
]

/** Rows of one kind that seem to differ, by their names in the store, some at a time. */
export async function* suspects(sides: Sides, { kind, prefix }: DerivedKind): AsyncGenerator<string[]> {
  const { rows, live, derived, onRows } = sides
  const hand = kind === 'value' ? VALUES_HAND : HAND
  const differing = async (names: readonly string[]): Promise<string[]> => {
    await onRows(names.length)
    const [ours, theirs] = await readBoth(sides, names)
    return names.filter((_, index) => !areEqual(kind, ours[index], theirs[index]))
  }
  yield* inHands(rows.scanKeys(prefix(live)), differing, hand)
  // Those that are there were compared already.
  const absent = async (derivedNames: readonly string[]): Promise<string[]> => {
    await onRows(derivedNames.length)
    const names = derivedNames.map((name) => live.rebase(name, derived))
    const ours = await rows.getMany(names)
    return names.filter((_, index) => ours[index] === undefined)
  }
  yield* inHands(rows.scanKeys(prefix(derived)), absent, hand)
}

/** Rows of the log of which nothing was derived. Their blocks, the most of the store, are not read again. */
export async function* strayEntries({ rows, live, derived, onRows }: Sides): AsyncGenerator<string[]> {
  yield* inHands(rows.scanKeys(live.logEntries), async (names) => {
    await onRows(names.length)
    const known = await rows.getMany(names.map((name) => derived.rebase(name, live)))
    return names.filter((_, index) => known[index] === undefined)
  })
}

/** What is wrong with one row now; undefined if nothing is. */
export async function differenceOf(
  sides: Sides,
  { kind, about }: DerivedKind,
  row: string
): Promise<(RowDifference & { expected: Uint8Array | undefined }) | undefined> {
  const [[ours], [theirs]] = await readBoth(sides, [row])
  if (areEqual(kind, ours, theirs)) return undefined
  const problem = ours === undefined ? 'missing' : theirs === undefined ? 'extra' : 'wrong'
  return { kind, problem, row, ...aboutRow(about, sides.live, row), expected: theirs }
}

/** The name of a damaged row may say nothing that can be read. */
function aboutRow(
  about: DerivedKind['about'],
  layout: Layout,
  row: string
): Pick<RowDifference, 'key' | 'id'> {
  const { key, id } = about(layout, row)
  const known = id === undefined ? undefined : parseBlockId(id)
  return { ...(key === undefined ? {} : { key }), ...(known === undefined ? {} : { id: known }) }
}

async function readBoth(
  { rows, live, derived }: Sides,
  names: readonly string[]
): Promise<[Array<Uint8Array | undefined>, Array<Uint8Array | undefined>]> {
  const ours = await rows.getMany(names)
  return [ours, await rows.getMany(names.map((name) => derived.rebase(name, live)))]
}

/** Whether the row says what it should. Who wrote a node is not in the DAG, so it is taken as it is. */
function areEqual(kind: RowKind, ours: Uint8Array | undefined, theirs: Uint8Array | undefined): boolean {
  if (ours === undefined || theirs === undefined) return ours === theirs
  if (kind !== 'applied') return equals(ours, theirs)
  try {
    const [a, b] = [decodeApplied('', ours), decodeApplied('', theirs)]
    return a.sequence === b.sequence && a.priority === b.priority && a.dagName === b.dagName
  } catch {
    return false
  }
}

/** Those of the names that are found, some at a time. */
export async function* inHands(
  names: AsyncIterable<string>,
  find: (names: readonly string[]) => Promise<string[]>,
  size = HAND
): AsyncGenerator<string[]> {
  let hand: string[] = []
  for await (const name of names) {
    hand.push(name)
    if (hand.length < size) continue
    const found = await find(hand)
    hand = []
    if (found.length > 0) yield found
  }
  if (hand.length === 0) return
  const found = await find(hand)
  if (found.length > 0) yield found
}
