/**
 * Makes golden vectors by running Go peers: `npm run vectors -- --seed 1`, into `test/vectors/release` and, where
 * GO_DS_CRDT_HEAD names the source, `test/vectors/head`. They have the form of the ones in `test/vectors`, and its README.
 *
 * Invariant: what is written is what Go wrote, sent and showed; a merge of which Go shows something else than its blocks
 * mean is no vector but a defect, and is made anew.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Random } from '../../src/replica/ports.ts'
import { blockCid, oracle } from '../../src/testkit/oracle/oracle.ts'
import { below, pick, streamOf } from '../../src/testkit/seeded-random.ts'
import { differencesOf } from './attribution.ts'
import { buildGoPeers } from './go-build.ts'
import type { GoOperation } from './go-messages.ts'
import { base64, GoPeer } from './go-peer.ts'

const SEQUENCES = 4
const MERGES = 8
const KEYS = [
  '/a',
  '/a/b',
  '/hello',
  '/hello/bye',
  '/100%',
  '/sp ace',
  '/colon:x',
  '/\u9375/\u5024',
  '/\u{1f600}',
  '/b'
]
const WITHIN_MS = 20_000

const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' } } })
const seed = Number(values.seed)

const anyValue = (random: Random): string => base64(`v${below(random, 1000)}`)

/** What one replica does alone. A key stands once in a batch, and goes only while it has one version. */
function steps(random: Random): GoOperation[] {
  const versions = new Map<string, number>()
  const put = (name: string): GoOperation => {
    versions.set(name, (versions.get(name) ?? 0) + 1)
    return { op: 'put', key: name, value: anyValue(random) }
  }
  const change = (name: string): GoOperation => {
    const isDeleted = versions.get(name) === 1 && below(random, 2) === 0
    if (!isDeleted) return put(name)
    versions.delete(name)
    return { op: 'delete', key: name }
  }
  return Array.from({ length: 8 + below(random, 10) }, (): GoOperation => {
    if (below(random, 3) > 0) return change(pick(random, KEYS))
    const names = KEYS.filter(() => below(random, 3) === 0)
    const batch = names.map(change)
    return batch.length === 0 ? put('/a') : { op: 'batch', batch }
  })
}

async function sequence(program: string, name: string): Promise<object> {
  const go = await GoPeer.start({ program, name, topic: name })
  try {
    const made: object[] = []
    for (const step of steps(streamOf(seed, name))) {
      await go.run([step])
      const [head] = await go.heads()
      const { blocks } = await go.dag([head!.cid])
      const { op, key, value, batch } = step
      const call = op === 'batch' ? { batch } : op === 'put' ? { put: { key, value } } : { delete: { key } }
      made.push({
        block: base64(blocks.find((block) => blockCid(block) === head!.cid)!),
        head: head!.cid,
        ...call
      })
    }
    return {
      broadcasts: (await go.call('said', {})) ?? [],
      kind: 'sequence',
      state: await go.call('list', {}),
      steps: made
    }
  } finally {
    await go.close()
  }
}

/** What two or three replicas wrote apart and together, of which Go shows what it means. */
async function merge(program: string, name: string): Promise<object> {
  for (let attempt = 0; ; attempt++) {
    const random = streamOf(seed, `${name} ${attempt}`)
    const names = ['a', 'b', 'c'].slice(0, 2 + below(random, 2))
    const peers: GoPeer[] = []
    try {
      for (const each of names) {
        const flags = { rebroadcast: '100ms' }
        peers.push(await GoPeer.start({ program, name: `${name}-${each}`, topic: name, flags }))
      }
      const act = (peer: GoPeer): Promise<void> => peer.run(mixed(random, peer.namedDags))
      for (const peer of peers) await act(peer)
      for (const [index, peer] of peers.entries()) {
        for (const other of peers.slice(index + 1)) await other.connect(peer.address)
      }
      for (const peer of peers) await act(peer)
      const blocks = await level(peers)
      const { heads } = oracle(blocks)
      const state = await peers[0]!.call('list', {})
      if (differencesOf(await peers[0]!.state(), blocks).length > 0) continue
      const named = blocks.map((block) => [blockCid(block), base64(block)] as const)
      return {
        blocks: Object.fromEntries(named.sort()),
        heads: Object.fromEntries(heads),
        kind: 'merge',
        state
      }
    } finally {
      await Promise.all(peers.map((peer) => peer.close()))
    }
  }
}

function mixed(random: Random, namedDags: boolean): GoOperation[] {
  return Array.from({ length: 2 + below(random, 5) }, (): GoOperation => {
    const name = pick(random, KEYS)
    const one: GoOperation =
      below(random, 4) === 0 ? { op: 'delete', key: name } : { op: 'put', key: name, value: anyValue(random) }
    return namedDags && below(random, 4) === 0
      ? { op: 'publish', key: pick(random, ['red', 'blue']), batch: [one] }
      : one
  })
}

/** The blocks, once all have the same. */
async function level(peers: GoPeer[]): Promise<Uint8Array[]> {
  for (const startedAt = performance.now(); performance.now() - startedAt < WITHIN_MS; await pause(20)) {
    const dags = await Promise.all(peers.map((peer) => peer.dag()))
    const cids = dags.map(({ blocks }) => blocks.map(blockCid).sort().join())
    const isWhole = dags.every(({ missing, unprocessed }) => missing.length + unprocessed.length === 0)
    if (isWhole && cids.every((each) => each === cids[0])) return dags[0]!.blocks
  }
  throw new Error(`The Go peers do not agree in ${WITHIN_MS} ms`)
}

const builds = buildGoPeers()
for (const word of builds.words) console.warn(word)
for (const build of ['release', 'head'] as const) {
  const program = builds[build]
  if (program === undefined) continue
  const folder = fileURLToPath(new URL(`../vectors/${build}/`, import.meta.url))
  mkdirSync(folder, { recursive: true })
  const save = (name: string, vector: object): void => {
    writeFileSync(`${folder}${name}.json`, `${JSON.stringify(vector, null, 1)}\n`)
  }
  for (let index = 0; index < SEQUENCES; index++)
    save(`sequence-0${index}`, await sequence(program, `sequence ${index}`))
  for (let index = 0; index < MERGES; index++) save(`merge-0${index}`, await merge(program, `merge ${index}`))
  console.info(`${SEQUENCES} sequences and ${MERGES} merges of the ${build}, from seed ${seed}, in ${folder}`)
}
