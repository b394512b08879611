/**
 * Where the time goes: sums the self time of a CPU profile by what the code belongs to. Pure.
 *
 * Invariant: every microsecond of a profile is in exactly one category. Functions of the platform count for whoever called
 * them, unless they say by themselves what they are.
 */

/** What V8 writes; only what is used of it. */
export interface CpuProfile {
  nodes: Array<{
    id: number
    callFrame: { functionName: string; url: string }
    children?: number[]
  }>
  samples: number[]
  timeDeltas: number[]
}

/** The categories, with what of a frame puts it there. The first that fits counts. */
const CATEGORIES: ReadonlyArray<
  [category: string, url: RegExp | undefined, functionName: RegExp | undefined]
> = [
  ['idle', undefined, /^\(idle\)$/],
  ['garbage collection', undefined, /^\(garbage collector\)$/],
  // Native code below no JavaScript: the event loop, threads' results, system calls.
  ['event loop and system', undefined, /^\((program|root)\)$/],
  [
    'hashing',
    /multiformats\/.*(hashes|sha)|node:internal\/crypto\/hash|@noble\/hashes|src\/crdt\/digest/,
    undefined
  ],
  ['encryption', /@libp2p\/noise|@noble\/|@chainsafe\/|node:internal\/crypto|@libp2p\/crypto/, undefined],
  ['LevelDB', /classic-level|abstract-level|datastore-level|node_modules\/level/, undefined],
  ['gossipsub', /@libp2p\/gossipsub/, undefined],
  [
    'encoding',
    /@bufbuild|@ipld\/dag-pb|multiformats|protons|uint8|interface-datastore|src\/codec\//,
    undefined
  ],
  [
    'sockets and streams',
    /@libp2p\/yamux|@libp2p\/(tcp|utils|multistream)|node_modules\/(libp2p\/|it-)|node:(net|internal\/(stream|net))/,
    undefined
  ],
  ['the sync protocol', /src\/libp2p\//, undefined],
  ['storage: rows and keys', /src\/storage\//, undefined],
  ['the engine', /\/(src|dist)\//, undefined],
  ['the benchmark', /\/bench\//, undefined]
]

/** Node's own code that nobody is known to have called. */
const NODE = 'Node'
/** What no rule puts anywhere. */
const OTHER = 'other'

/** Microseconds in each category, the greatest first. */
export function timeByCategory({ nodes, samples, timeDeltas }: CpuProfile): Map<string, number> {
  const categories = categoriesOf(nodes)
  const times = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const category = categories.get(id) ?? OTHER
    times.set(category, (times.get(category) ?? 0) + Math.max(0, timeDeltas[index] ?? 0))
  }
  return new Map([...times].sort(([, a], [, b]) => b - a))
}

/** The category of each node of the tree, by its id. */
function categoriesOf(nodes: CpuProfile['nodes']): Map<number, string> {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const categories = new Map<number, string>()
  const visit = (id: number, inherited: string): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const { functionName, url } = node.callFrame
    const orphan = inherited === OTHER && url.startsWith('node:') ? NODE : inherited
    const category = categoryOf(functionName, url) ?? orphan
    categories.set(id, category)
    for (const child of node.children ?? []) visit(child, category)
  }
  const children = new Set(nodes.flatMap((node) => node.children ?? []))
  for (const { id } of nodes) if (!children.has(id)) visit(id, OTHER)
  return categories
}

/** The category of one frame by itself; none for what the platform does on behalf of its caller. */
export function categoryOf(functionName: string, url: string): string | undefined {
  return CATEGORIES.find(
    ([, urls, names]) => (urls?.test(url) ?? true) && (names?.test(functionName) ?? true)
  )?.[0]
}

/** Neither is what the store costs. */
const LEFT_OUT = ['idle', 'the benchmark']

/** Shares of the time in which the process was neither idle nor measuring, in percent. */
export function sharesOf(times: ReadonlyMap<string, number>): Record<string, number> {
  const busy = [...times].filter(([category]) => !LEFT_OUT.includes(category))
  const total = busy.reduce((sum, [, time]) => sum + time, 0)
  return Object.fromEntries(
    busy.map(([category, time]) => [category, total === 0 ? 0 : (time / total) * 100])
  )
}
