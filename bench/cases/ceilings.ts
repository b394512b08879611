/**
 * What this machine can do from Node, below everything of ours: the ceilings to hold the other figures against.
 */
import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'
import * as dagPb from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { type Benchmark, check, checkEqual } from '../benchmark.ts'
import type { Scope } from '../scope.ts'
import { openLevel, putOneByOne } from '../stores.ts'
import { milliseconds } from '../timing.ts'
import { makeEntries, makeKey, makeValue } from '../workload.ts'

const PUTS = 2000
const BATCHES = 1000
const ROWS_EACH = 6
const HASHES = 20_000
const NODES = 10_000
const TCP_BYTES = 64 * 2 ** 20

export const ceilings: Benchmark = {
  name: 'ceilings',
  about: 'raw datastore-level, sha-256, dag-pb and TCP, for the other figures to be held against',
  figures: {
    'datastore-level put': { unit: '/s', better: 'more' },
    'datastore-level batch of 6': { unit: '/s', better: 'more' },
    'datastore-level get': { unit: '/s', better: 'more' },
    'datastore-level query': { unit: 'rows/s', better: 'more' },
    'sha-256': { unit: '/s', better: 'more' },
    'dag-pb, sha-256 and CID': { unit: '/s', better: 'more' },
    TCP: { unit: 'MB/s', better: 'more' }
  },
  runs: { full: 9, quick: 3 },
  warmUps: 2,
  async prepare(scope) {
    const raw = await openLevel(scope)
    let runs = 0
    return async () => {
      const entries = makeEntries(`ceilings-${runs++}`, PUTS)
      const perSecond = (count: number, ms: number): number => (count / ms) * 1000
      const put = await milliseconds(() => putOneByOne(raw, entries))
      const batch = await milliseconds(async () => {
        for (let index = 0; index < BATCHES; index++) {
          const some = raw.batch()
          for (let row = 0; row < ROWS_EACH; row++) some.put(makeKey(`rows-${row}`, index), makeValue(index))
          await some.commit()
        }
      })
      const get = await milliseconds(async () => {
        for (const { key } of entries) await raw.get(key)
      })
      let rows = 0
      const query = await milliseconds(async () => {
        for await (const { value } of raw.query({})) rows += value.length > 0 ? 1 : 0
      })
      check(rows >= PUTS + BATCHES * ROWS_EACH, 'The query has too few rows')
      return {
        'datastore-level put': perSecond(PUTS, put),
        'datastore-level batch of 6': perSecond(BATCHES, batch),
        'datastore-level get': perSecond(PUTS, get),
        'datastore-level query': perSecond(rows, query),
        'sha-256': perSecond(HASHES, await milliseconds(async () => hash())),
        'dag-pb, sha-256 and CID': perSecond(NODES, await milliseconds(async () => encode())),
        TCP: TCP_BYTES / 1000 / (await milliseconds(() => passOverTcp(scope)))
      }
    }
  }
}

function hash(): void {
  let sum = 0
  for (let index = 0; index < HASHES; index++) {
    sum += createHash('sha256').update(makeValue(index)).digest()[0]!
  }
  check(sum > 0, 'All hashes begin with a zero')
}

/** Encodes nodes as large as those of single puts: a delta of some 130 bytes, and a link. */
function encode(): void {
  let parent = CID.createV1(dagPb.code, Digest.create(0x12, new Uint8Array(32)))
  for (let index = 0; index < NODES; index++) {
    const data = new Uint8Array(130).fill(index % 251)
    const bytes = dagPb.encode({ Data: data, Links: [{ Name: '', Tsize: 0, Hash: parent }] })
    const digest = createHash('sha256').update(bytes).digest()
    parent = CID.createV1(dagPb.code, Digest.create(0x12, digest))
  }
  checkEqual(parent.code, dagPb.code, 'the codec')
}

async function passOverTcp(scope: Scope): Promise<void> {
  const chunk = new Uint8Array(64 * 1024)
  let received = 0
  const done = Promise.withResolvers<void>()
  const server = createServer((socket) => {
    socket.on('data', (bytes) => {
      received += bytes.length
    })
    socket.on('end', () => done.resolve())
  })
  scope.defer(async () => server.close())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const socket = connect(port, '127.0.0.1')
  for (let sent = 0; sent < TCP_BYTES; sent += chunk.length) {
    if (!socket.write(chunk)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
  await done.promise
  server.close()
  checkEqual(received, TCP_BYTES, 'bytes')
}
