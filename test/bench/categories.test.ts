// Where the time of a profile goes, with profiles that were made up.
import { expect, test } from 'vitest'
import { type CpuProfile, categoryOf, sharesOf, timeByCategory } from '../../bench/profile/categories.ts'

const frame = (functionName: string, url = '') => ({ functionName, url })

test.each([
  ['update', 'node:internal/crypto/hash', 'hashing'],
  ['digest', 'file:///x/node_modules/multiformats/dist/src/hashes/sha2.js', 'hashing'],
  ['addHash', 'file:///x/dist/src/crdt/digest.js', 'hashing'],
  ['decode', 'file:///x/node_modules/multiformats/dist/src/cid.js', 'encoding'],
  ['encodeNode', 'file:///x/dist/src/codec/node.js', 'encoding'],
  ['encrypt', 'file:///x/node_modules/@libp2p/noise/dist/src/encryption.js', 'encryption'],
  ['sendData', 'file:///x/node_modules/@libp2p/yamux/dist/src/stream.js', 'sockets and streams'],
  ['handle', 'file:///x/node_modules/@libp2p/gossipsub/dist/src/index.js', 'gossipsub'],
  ['batch', 'file:///x/node_modules/classic-level/index.js', 'LevelDB'],
  ['rowKey', 'file:///x/dist/src/storage/keys.js', 'storage: rows and keys'],
  ['serve', 'file:///x/dist/src/libp2p/sync/server.js', 'the sync protocol'],
  ['merge', 'file:///x/dist/src/replica/replica.js', 'the engine'],
  ['(garbage collector)', '', 'garbage collection'],
  ['(program)', '', 'event loop and system'],
  ['(idle)', '', 'idle'],
  ['processTimers', 'node:internal/timers', undefined]
])('%s of %s', (functionName, url, category) => {
  expect(categoryOf(functionName, url)).toBe(category)
})

// root -> merge -> { a native function, timers }, root -> timers of nobody, root -> idle
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 5, 6] },
    { id: 2, callFrame: frame('merge', 'file:///x/dist/src/replica/replica.js'), children: [3, 4] },
    { id: 3, callFrame: frame('set') },
    { id: 4, callFrame: frame('processTimers', 'node:internal/timers') },
    { id: 5, callFrame: frame('(garbage collector)') },
    { id: 6, callFrame: frame('(idle)') }
  ],
  samples: [2, 3, 4, 5, 6],
  timeDeltas: [10, 20, 30, 40, 900]
}

test('what the platform does counts for whoever asked for it, and all time is somewhere', () => {
  expect(Object.fromEntries(timeByCategory(profile))).toEqual({
    'the engine': 60,
    'garbage collection': 40,
    idle: 900
  })
})

test('shares are of the time that was neither idle nor spent on measuring', () => {
  expect(sharesOf(timeByCategory(profile))).toEqual({ 'the engine': 60, 'garbage collection': 40 })
  const times = new Map([
    ['LevelDB', 30],
    ['the engine', 10],
    ['the benchmark', 500]
  ])
  expect(sharesOf(times)).toEqual({ LevelDB: 75, 'the engine': 25 })
  expect(sharesOf(new Map())).toEqual({})
})
