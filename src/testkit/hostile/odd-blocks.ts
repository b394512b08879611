/**
 * One block of each odd kind that the wire format allows or has to survive.
 *
 * Invariant: what a block of a kind is follows from what it is made of, so that a script can be run again.
 */
import { cidFromBlockId, digestFromBlockId } from '../../codec/block-id.ts'
import { encodeDelta } from '../../codec/delta.ts'
import type { BlockId } from '../../crdt/delta.ts'
import { type Forged, forgeBlock, forgeChain, forgeLinks, forgeNode, missingNode } from './forged.ts'

/** What an odd block is made of. */
export interface OddInit {
  /** Tells it from all others. */
  name: string
  /** A key that honest replicas write to. */
  key: string
  /** Heads that honest replicas have. */
  heads: readonly BlockId[]
  /** How many links a block of many has. */
  links?: number
  /** How large a huge block is. */
  bytes?: number
}

type Make = (init: OddInit) => Forged | Forged[]

const PRIORITY_MAX = 2n ** 64n - 1n
/** An element whose key is not UTF-8, before whatever follows. */
const INVALID_KEY = Uint8Array.of(0x0a, 4, 0x0a, 2, 0xc3, 0x28)

const put = ({ name, key }: OddInit): Array<[string, string]> => [[key, name]]

function emptyDelta({ name, key }: OddInit) {
  const elements = [{ key, value: new TextEncoder().encode(name) }]
  return { elements, tombstones: [], priority: 3n, dagName: '', requires: [] }
}

const cids = (heads: readonly BlockId[]): Uint8Array[] => heads.map((id) => cidFromBlockId(id).bytes)

export const ODD_BLOCKS = {
  'no dag-pb': ({ name }) => forgeBlock(new TextEncoder().encode(`no dag-pb ${name}`)),
  'no bytes': () => forgeBlock(new Uint8Array()),
  'undecodable delta': (init) => {
    const delta = encodeDelta(emptyDelta(init))
    return forgeLinks(cids(init.heads), delta.subarray(0, delta.length - 3))
  },
  'invalid UTF-8': (init) => {
    return forgeLinks(cids(init.heads), Uint8Array.of(...INVALID_KEY, ...encodeDelta(emptyDelta(init))))
  },
  'foreign links': (init) => {
    const digest = digestFromBlockId(missingNode(init.name))
    const raw = Uint8Array.of(1, 0x55, 0x12, 32, ...digest)
    const sha512 = Uint8Array.of(1, 0x70, 0x13, 32, ...digest)
    return forgeLinks([raw, ...cids(init.heads), sha512], encodeDelta(emptyDelta(init)))
  },
  'CIDv0 links': (init) => {
    const v0 = init.heads.map((id) => Uint8Array.of(0x12, 32, ...digestFromBlockId(id)))
    // The same nodes again as CIDv1: each of them is one parent.
    return forgeLinks([...v0, ...cids(init.heads)], encodeDelta(emptyDelta(init)))
  },
  'many links': ({ name, links = 300 }) => {
    const missing = Array.from({ length: links }, (_, index) => missingNode(`${name} ${index}`))
    return forgeLinks(cids(missing))
  },
  'a huge block': (init) => {
    return forgeNode({ puts: [[init.key, `${init.name}${'.'.repeat(init.bytes ?? 70 * 1024)}`]] })
  },
  'the greatest priority': (init) => {
    return forgeNode({ puts: put(init), links: init.heads, priority: PRIORITY_MAX })
  },
  'a falling priority': (init) => forgeNode({ puts: put(init), links: init.heads, priority: 0n }),
  'keys that climb': ({ name, key, heads }) => {
    const keys = ['/../../x', '/', '', '..', `/a/..${key}`, `/${key}/.`, '//hostile//climbs/']
    return forgeNode({ puts: keys.map((odd) => [odd, name] as const), links: heads, priority: 2n })
  },
  'tombstones with bad ids': ({ name, key, heads }) => {
    const [good = missingNode(name)] = heads
    const ids = ['', '/', 'x', good.slice(1), good.toLowerCase(), `${good}A`, `/CIQ${'A'.repeat(52)}`]
    return forgeNode({ tombstones: ids.map((id) => ({ key, id })), links: heads, priority: 2n })
  },
  'a key twice': ({ name, key, heads }) => {
    const puts = ['first', 'last'].map((which) => [key, `${name} ${which}`] as const)
    return forgeNode({ puts: [...puts, [`/${key}`, `${name} very last`]], links: heads, priority: 2n })
  },
  'an unknown feature': (init) => {
    const tombstones = init.heads.map((id) => ({ key: init.key, id }))
    const links = init.heads
    return forgeNode({ puts: put(init), tombstones, links, priority: 4n, requires: [7, 4_000_000_000] })
  },
  'an odd DAG name': (init) => {
    const names = ['a/b', '..', '\u0000', ':%', '\ufeffbom', 'x'.repeat(300), '\u{1f600}'.repeat(100)]
    return names.map((dagName) => forgeNode({ puts: put(init), links: init.heads, dagName, priority: 2n }))
  },
  'a tombstone before its element': ({ name, key }) => {
    const element = forgeNode({ puts: [[key, name]], priority: 5n })
    const tombstone = forgeNode({ tombstones: [{ key, id: element.id }], priority: 6n })
    return [tombstone, element]
  },
  'a long chain': ({ name }) => forgeChain(40, { name, below: missingNode(`below ${name}`) }).reverse()
} as const satisfies Record<string, Make>

export type OddKind = keyof typeof ODD_BLOCKS

export const ODD_KINDS = Object.keys(ODD_BLOCKS) as OddKind[]

/** The blocks of a kind, in the order in which they are to be told of. */
export function oddBlocks(kind: OddKind, init: OddInit): Forged[] {
  const made: Forged | Forged[] = (ODD_BLOCKS[kind] as Make)(init)
  return Array.isArray(made) ? made : [made]
}
