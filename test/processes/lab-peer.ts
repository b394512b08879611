/**
 * The process that gets killed: a store on datastore-level and a node over TCP, on the package's public surface and
 * with the folder and the node of the example peer.
 *
 * A line in is a call, `{id, method, args}`; a line out is its answer, `{id, result}` or `{id, error}`, or what happens
 * meanwhile. Lines are written to the pipe before anything else happens, so that a line which never came means that
 * what it tells of has not happened yet.
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createCrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'
import { openFolder } from '../../examples/peer/folder.ts'
import { createNode } from '../../examples/peer/node.ts'
import type { LabMethods, LabRequest } from './lab-messages.ts'
import { bytesOf, fingerprint, LANES, type Step, stepOf } from './workload.ts'

const TOPIC = 'processes'
/** How often a goal is looked at. */
const POLL_MS = 2
/** Puts that share a commit when a history is made. */
const AT_ONCE = 200

const { values: options } = parseArgs({
  options: {
    data: { type: 'string', default: '' },
    listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' },
    peer: { type: 'string', multiple: true, default: [] },
    /** Every put is a node of its own, so that a history has as many as it has puts. */
    'no-coalesce': { type: 'boolean', default: false }
  }
})

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`)

const stopping = new AbortController()
const { datastore, privateKey } = await openFolder(options.data)
const libp2p = await createNode({
  privateKey,
  listen: [multiaddr(options.listen)],
  peers: options.peer.map((address): Multiaddr => multiaddr(address)),
  mdns: false,
  signal: stopping.signal,
  onUnreachable: () => {}
})
const store = await createCrdtDatastore({
  datastore,
  libp2p,
  topic: TOPIC,
  coalesce: !options['no-coalesce'],
  // So little that what `buffered` finds is what waits to be sent, and no values that were written lately.
  readCacheBytesMax: 1024 * 1024
})

async function write({ lane, index, changes }: Step): Promise<void> {
  say({ begun: { lane, index, changes } })
  const [only] = changes
  if (changes.length === 1 && only !== undefined) {
    if (only.size === undefined) await store.delete(new Key(only.key))
    else await store.put(new Key(only.key), bytesOf(only))
  } else {
    const batch = store.batch()
    for (const change of changes) {
      if (change.size === undefined) batch.delete(new Key(change.key))
      else batch.put(new Key(change.key), bytesOf(change))
    }
    await batch.commit()
  }
  say({ acknowledged: { lane, index } })
}

/** Whether every node is at or below the heads, and none of these is below another node of its DAG. */
async function checkTips(): Promise<string[]> {
  const heads = new Map((await store.heads()).map(({ cid, dagName }) => [cid.toString(), dagName]))
  const problems: string[] = []
  let count = 0
  for await (const { links, dagName } of store.dag.traverse()) {
    count++
    for (const link of links.map(String)) {
      if (heads.get(link) === dagName) problems.push(`The head ${link} is linked to`)
    }
  }
  const { nodes } = await store.stats()
  if (count !== nodes) problems.push(`${nodes} nodes were applied, but ${count} are below the heads`)
  return problems
}

const methods: LabMethods = {
  async connect(address) {
    await libp2p.dial(multiaddr(address))
  },

  async put(key, text) {
    await store.put(new Key(key), new TextEncoder().encode(text))
  },

  async write({ seed, from }) {
    const lane = async (number: number): Promise<void> => {
      for (let index = from[number] ?? 0; ; index++) await write(stepOf(seed, number, index))
    }
    await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)))
  },

  async fill({ count, bytes }) {
    for (let start = 0; start < count; start += AT_ONCE) {
      const puts = Array.from({ length: Math.min(AT_ONCE, count - start) }, (_, offset) => {
        const key = `/fill/${start + offset}`
        // Two DAGs, which grow beside each other.
        const dagName = (start + offset) % 5 === 0 ? 'side' : ''
        return store.put(new Key(key), bytesOf({ key, stamp: key, size: bytes }), { dagName })
      })
      await Promise.all(puts)
    }
  },

  async reached({ nodes, digest, withinMs }) {
    const deadline = performance.now() + withinMs
    const isReached = async (): Promise<boolean> =>
      (nodes === undefined || (await store.stats()).nodes >= nodes) &&
      (digest === undefined || (await store.digest()) === digest)
    while (!(await isReached())) {
      if (performance.now() > deadline) {
        const stats = await methods.stats()
        throw new Error(`It was not reached in ${withinMs} ms: ${JSON.stringify(stats)}`)
      }
      await sleep(POLL_MS)
    }
    return await methods.stats()
  },

  async stats() {
    const { keys, nodes, heads, gaps, pending, wanted, counters, sync, broadcast } = await store.stats()
    return {
      ...{ keys, nodes, heads, gaps, pending, wanted, digest: await store.digest() },
      ...{ counters: { ...counters }, sync: { ...sync! }, broadcast: { ...broadcast! } },
      ...{ connections: libp2p.getConnections().length }
    }
  },

  async buffered() {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    collectGarbage()
    return process.memoryUsage().arrayBuffers
  },

  async check() {
    const { ok, complete, differences, nodes } = await store.verify()
    const problems = differences.map(({ kind, problem, row }) => `${kind} ${problem} ${row}`)
    if (!ok || !complete) problems.push('The check was not passed')
    return { nodes, problems: [...problems, ...(await checkTips())] }
  },

  async state() {
    const rows: Array<[string, string]> = []
    for await (const { key, value } of store.query({})) rows.push([key.toString(), fingerprint(value)])
    return rows
  },

  async close() {
    stopping.abort()
    await store.close()
    await libp2p.stop()
    await datastore.close()
  }
}

async function answer({ id, method, args }: LabRequest): Promise<void> {
  try {
    const call = methods[method] as (...args: unknown[]) => Promise<unknown>
    say({ id, result: (await call(...args)) ?? null })
  } catch (error) {
    say({ id, error: (error as Error).stack ?? String(error) })
  }
  if (method === 'close') process.exit()
}

say({ ready: { address: libp2p.getMultiaddrs()[0]?.toString() ?? '' } })
for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line))
process.exit()
