// Generators: DAGs of deltas that nobody honest would write all of, and ways in which their blocks may arrive.
import fc from 'fast-check'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import {
  type Bytes,
  bytesField,
  cidV0,
  cidV1,
  dagName,
  hex,
  join,
  link,
  priority,
  put,
  requires,
  tombstone,
  utf8
} from '../codec/wire-bytes.ts'

/** The most blocks of a generated DAG. */
export const DAG_BLOCKS_MAX = 10

/** A feature that no version knows. */
export const FEATURE = 7

// Three keys in many spellings, their prefixes, and two that have no effect.
const spelling = fc.constantFrom(...['/k', 'k', '//k/', '/x/../k', '/k/l', '/k//l', '/kl', '/../k', '/'])
// Equal values, prefixes of each other, a shorter one that is greater, and none at all.
const value = fc.constantFrom('', 'a', 'aa', 'aaa', 'b', '\0')
const element = fc.record({ key: spelling, value })

type PriorityChoice = 'next' | bigint
const anyPriority = fc.oneof(
  { weight: 4, arbitrary: fc.constant<PriorityChoice>('next') },
  { weight: 3, arbitrary: fc.constantFrom<PriorityChoice>(1n, 2n) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<PriorityChoice>(
      ...[0n, 127n, 128n, 2n ** 32n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]
    )
  }
)

const spec = fc.record({
  /** Which of the blocks before it are linked to. */
  parents: fc.array(fc.nat({ max: DAG_BLOCKS_MAX }), { maxLength: 3 }),
  linkForm: fc.constantFrom('v1', 'v1', 'v1', 'v0', 'longer'),
  /** Links to what nobody has, and to what is no node. */
  missing: fc.constantFrom(...[false, false, false, false, false, true]),
  foreign: fc.constantFrom(...[false, false, false, false, false, true]),
  dag: fc.constantFrom('', '', '', 'red', 'a/b:%'),
  elements: fc.array(element, { maxLength: 3 }),
  /** Which block before it is named, and under which key: one of that block's own, or any. */
  tombstones: fc.array(
    fc.record({ of: fc.nat({ max: DAG_BLOCKS_MAX + 1 }), own: fc.nat({ max: 3 }), any: spelling }),
    { maxLength: 3 }
  ),
  priority: anyPriority,
  requires: fc.constantFrom(...[false, false, false, false, false, false, false, true]),
  form: fc.constantFrom(...['fine', 'fine', 'fine', 'fine', 'fine', 'fine', 'odd delta', 'no dag-pb'])
})
type Spec = typeof spec extends fc.Arbitrary<infer T> ? T : never

interface Made {
  bytes: Bytes
  keys: string[]
  priority: bigint
}

const LINK_FORMS: Record<string, (parent: Bytes) => Bytes> = {
  v1: cidV1,
  v0: cidV0,
  longer: (parent) => join(cidV1(parent), hex('00'))
}

function make(spec: Spec, before: readonly Made[]): Made {
  const at = (index: number): Made | undefined => before[index % Math.max(1, before.length)]
  const parents = spec.parents.flatMap((index) => at(index) ?? [])
  const links = parents.map(({ bytes }) => link(LINK_FORMS[spec.linkForm]!(bytes)))
  if (spec.missing) links.push(link(cidV1(utf8('a block that nobody has'))))
  if (spec.foreign) links.push(link(cidV1(utf8('raw bytes'), 0x55)))
  const height =
    spec.priority === 'next'
      ? parents.reduce((most, { priority }) => (priority >= most ? priority + 1n : most), 1n) % 2n ** 64n
      : spec.priority
  const tombstones = spec.tombstones.map(({ of, own, any }) => {
    const target = of > DAG_BLOCKS_MAX ? undefined : at(of)
    if (target === undefined) return tombstone(any, blockId(utf8('a block that nobody has')))
    return tombstone(
      target.keys[own] ?? any,
      own % 2 === 0 ? blockId(target.bytes) : blockId(target.bytes).slice(1)
    )
  })
  const delta = [
    ...spec.elements.map(({ key, value }) => put(key, value)),
    ...tombstones,
    ...(height === 0n ? [] : [priority(height)]),
    ...(spec.dag === '' ? [] : [dagName(spec.dag)]),
    ...(spec.requires ? [requires(FEATURE)] : []),
    ...(spec.form === 'odd delta' ? [hex('ff')] : [])
  ]
  const bytes = join(...links, bytesField(1, join(...delta)), spec.form === 'no dag-pb' ? hex('ff') : hex(''))
  return { bytes, keys: spec.elements.map(({ key }) => key), priority: height }
}

/** Blocks, parents before children, each once. */
export const anyDag: fc.Arbitrary<Bytes[]> = fc
  .array(spec, { minLength: 1, maxLength: DAG_BLOCKS_MAX })
  .map((specs) => {
    const made: Made[] = []
    for (const each of specs) made.push(make(each, made))
    return [...new Map(made.map(({ bytes }) => [blockId(bytes), bytes])).values()]
  })

/** How the blocks of a DAG arrive. */
export interface Delivery {
  /** The order: blocks are sorted by these, so that a counterexample shrinks to the order of the DAG. */
  ranks: number[]
  /** After which blocks a commit ends. */
  cuts: boolean[]
  /** After which commits the replica restarts. */
  restarts: boolean[]
}

export function anyDelivery(blocksMax = DAG_BLOCKS_MAX): fc.Arbitrary<Delivery> {
  const size = { minLength: blocksMax, maxLength: blocksMax }
  return fc.record({
    ranks: fc.array(fc.nat({ max: 99 }), size),
    cuts: fc.array(fc.boolean(), size),
    restarts: fc.array(fc.constantFrom(...[false, false, false, false, false, true]), size)
  })
}

/** Sorted by rank; where that is the same, as they are. */
export function ordered<T>(items: readonly T[], ranks: readonly number[]): T[] {
  const rank = (index: number): number => ranks[index % ranks.length] ?? 0
  return items
    .map((item, index) => ({ item, index }))
    .sort((a, b) => rank(a.index) - rank(b.index) || a.index - b.index)
    .map(({ item }) => item)
}

/** Divided after the items that are marked. */
export function divided<T>(items: readonly T[], cuts: readonly boolean[]): T[][] {
  const groups: T[][] = [[]]
  for (const [index, item] of items.entries()) {
    groups.at(-1)?.push(item)
    if (cuts[index % cuts.length]) groups.push([])
  }
  return groups.filter((group) => group.length > 0)
}

/** Every order of a few items. */
export function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, index) =>
    permutations(items.filter((_, other) => other !== index)).map((rest) => [item, ...rest])
  )
}
