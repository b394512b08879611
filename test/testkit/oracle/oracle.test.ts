import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import * as dagPb from '@ipld/dag-pb'
import { base32upper } from 'multiformats/bases/base32'
import { CID } from 'multiformats/cid'
import { describe, expect, it } from 'vitest'
import {
  blockCid,
  blockId,
  canonicalKey,
  type OracleState,
  oracle
} from '../../../src/testkit/oracle/oracle.ts'

// The golden vectors: what running go-ds-crdt peers wrote and showed.

interface Operation {
  op: 'put' | 'delete'
  key: string
  value?: string
}

interface Step {
  put?: { key: string; value: string }
  delete?: { key: string }
  batch?: Operation[]
  block?: string
  head?: string
}

interface MergeVector {
  kind: 'merge'
  blocks: Record<string, string>
  heads: Record<string, string[]>
  state: Record<string, string>
}

interface SequenceVector {
  kind: 'sequence'
  broadcasts: string[]
  state: Record<string, string>
  steps: Step[]
}

const folder = new URL('../../vectors/', import.meta.url)
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => {
    const vector = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as MergeVector | SequenceVector
    return { name, vector }
  })

describe('golden vectors', () => {
  it('are there', () => {
    expect(vectors.filter(({ vector }) => vector.kind === 'merge')).toHaveLength(24)
    expect(vectors.filter(({ vector }) => vector.kind === 'sequence')).toHaveLength(8)
  })

  for (const { name, vector } of vectors) {
    it(name, () => {
      if (vector.kind === 'merge') checkMerge(vector)
      else checkSequence(vector)
    })
  }
})

function checkMerge(vector: MergeVector): void {
  const blocks = Object.values(vector.blocks).map(fromBase64)
  expect(blocks.map(blockCid)).toEqual(Object.keys(vector.blocks))
  const expected = {
    state: vector.state,
    heads: Object.fromEntries(
      Object.entries(vector.heads).map(([dagName, tips]) => [dagName, [...tips].sort()])
    ),
    nodes: blocks.length,
    deferred: 0,
    invalid: 0
  }
  expect(summary(oracle(blocks))).toEqual(expected)
  expect(summary(oracle([...blocks].reverse()))).toEqual(expected)
  expect(summary(oracle([...blocks, ...blocks]))).toEqual(expected)
}

function checkSequence(vector: SequenceVector): void {
  const blocks: Uint8Array[] = []
  // One replica alone is a plain map, and its history a line, so every step can be checked and not only the
  // last.
  const expected = new Map<string, string>()
  for (const step of vector.steps) {
    if (step.put !== undefined) apply(expected, { op: 'put', ...step.put })
    if (step.delete !== undefined) apply(expected, { op: 'delete', ...step.delete })
    for (const operation of step.batch ?? []) apply(expected, operation)
    if (step.block !== undefined) blocks.push(fromBase64(step.block))
    const found = summary(oracle(blocks))
    expect(found.heads).toEqual(step.head === undefined ? {} : { '': [step.head] })
    expect(found.state).toEqual(Object.fromEntries(expected))
  }
  expect(summary(oracle(blocks)).state).toEqual(vector.state)
}

function apply(state: Map<string, string>, operation: Operation): void {
  const key = canonicalKey(operation.key)
  if (key === undefined)
    throw new Error(`A vector has the key ${JSON.stringify(operation.key)}, which has no effect`)
  if (operation.op === 'delete') state.delete(key)
  else state.set(key, operation.value ?? '')
}

// An encoder for the hand-made cases. It can write what no honest peer would.

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))
const join = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))
const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest())

function varint(value: bigint | number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt(value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Uint8Array.from([...bytes, Number(rest)])
}

const tag = (number: number, wire: number): Uint8Array => varint(BigInt(number) * 8n + BigInt(wire))
const varintField = (number: number, value: bigint | number): Uint8Array =>
  join(tag(number, 0), varint(value))
const bytesField = (number: number, value: Uint8Array | string): Uint8Array => {
  const bytes = typeof value === 'string' ? utf8(value) : value
  return join(tag(number, 2), varint(bytes.length), bytes)
}

const put = (key: string, value: Uint8Array | string = key): Uint8Array =>
  bytesField(1, join(bytesField(1, key), bytesField(3, value)))
const tombstone = (key: string, id: string): Uint8Array =>
  bytesField(2, join(bytesField(1, key), bytesField(2, id)))
const priority = (value: bigint | number): Uint8Array => varintField(3, value)
const dagName = (name: string): Uint8Array => bytesField(4, name)

const cidV0 = (block: Uint8Array): Uint8Array => join(hex('12 20'), sha256(block))
const cidV1 = (block: Uint8Array, codec = 0x70): Uint8Array => join(varint(1), varint(codec), cidV0(block))
const link = (cid: Uint8Array): Uint8Array =>
  bytesField(2, join(bytesField(1, cid), bytesField(2, ''), varintField(3, 0)))

/** A block of this delta that links to these parents, with its fields in the order that go-ds-crdt writes. */
const block = (delta: Uint8Array[], parents: Uint8Array[] = []): Uint8Array =>
  join(...parents.map((parent) => link(cidV1(parent))), bytesField(1, join(...delta)))

/** The parts of the state that are compared as a whole, as plain objects that print well. */
function summary(found: OracleState) {
  return {
    state: Object.fromEntries(
      [...found.state].map(([key, value]) => [key, Buffer.from(value).toString('base64')])
    ),
    heads: Object.fromEntries(found.heads),
    nodes: found.nodes,
    deferred: found.deferred,
    invalid: found.invalid
  }
}

/** The state with values as text. */
const shown = (...blocks: Uint8Array[]): Record<string, string> => {
  // Every case is looked at in two orders, since none may depend on that.
  const found = oracle(blocks)
  expect(oracle([...blocks].reverse())).toEqual(found)
  return Object.fromEntries([...found.state].map(([key, value]) => [key, Buffer.from(value).toString()]))
}

const tips = (...blocks: Uint8Array[]): Record<string, string[]> => Object.fromEntries(oracle(blocks).heads)
const cids = (...blocks: Uint8Array[]): string[] => blocks.map(blockCid).sort()

/** A delta of which the last part is what is tested: it decodes exactly if the key shows. */
const decodes = (...parts: Uint8Array[]): boolean => {
  const found = oracle([block([put('/k', 'v'), ...parts])])
  expect(found.invalid).toBe(found.state.has('/k') ? 0 : 1)
  expect(found.nodes).toBe(1)
  return found.state.has('/k')
}

describe('block ids and CIDs', () => {
  it('are what multiformats makes of the hash', () => {
    for (let length = 0; length < 50; length++) {
      const bytes = sha256(new Uint8Array(length))
      expect(blockCid(bytes)).toBe(CID.decode(cidV1(bytes)).toString())
      // The multibase prefix of multiformats stands where the slash of the id is.
      expect(blockId(bytes)).toBe('/' + base32upper.encode(cidV0(bytes)).slice(1))
    }
  })
})

describe('merge rule', () => {
  it('shows nothing when there are no blocks', () => {
    const nothing = { alive: new Map(), heads: new Map(), state: new Map(), tombstones: new Map() }
    expect(oracle([])).toEqual({ ...nothing, nodes: 0, deferred: 0, invalid: 0 })
  })

  it('counts a block once, however often it is given', () => {
    const a = block([put('/k'), priority(1)])
    expect(oracle([a, a.slice()])).toEqual(oracle([a]))
    expect(oracle([a, a]).nodes).toBe(1)
  })

  it('takes the greatest priority, whatever the links say', () => {
    const older = block([put('/k', 'z'), priority(7)])
    const newer = block([put('/k', 'a'), priority(2)], [older])
    expect(shown(older, newer)).toEqual({ '/k': 'z' })
  })

  it('compares priorities as exact 64-bit numbers', () => {
    const two53 = 2n ** 53n
    expect(
      shown(block([put('/k', 'z'), priority(two53)]), block([put('/k', 'a'), priority(two53 + 1n)]))
    ).toEqual({ '/k': 'a' })
    const most = 2n ** 64n - 1n
    expect(
      shown(block([put('/k', 'z'), priority(most - 1n)]), block([put('/k', 'a'), priority(most)]))
    ).toEqual({ '/k': 'a' })
  })

  it('reads a priority that is left out as 0', () => {
    expect(shown(block([put('/k', 'z')]), block([put('/k', 'a'), priority(1)]))).toEqual({ '/k': 'a' })
    expect(oracle([block([put('/k')])]).alive.get('/k')?.[0]?.priority).toBe(0n)
  })

  it('takes the greatest value bytes at equal priorities, and not the longest', () => {
    const short = block([put('/k', 'b'), priority(1)])
    const long = block([put('/k', 'aaaa'), priority(1)])
    expect(shown(short, long)).toEqual({ '/k': 'b' })
    expect(shown(block([put('/k', 'b')]), block([put('/k', 'ba')]))).toEqual({ '/k': 'ba' })
    expect(shown(block([put('/k', '')]), block([put('/k', '\0')]))).toEqual({ '/k': '\0' })
    // Bytes are not signed.
    const found = oracle([block([put('/k', hex('7f'))]), block([put('/k', hex('80'))])])
    expect(found.state.get('/k')).toEqual(hex('80'))
  })

  it('puts the greater block id first at equal values', () => {
    const blocks = ['/a', '/b', '/c', '/d', '/e', '/f'].map((other) => block([put('/k', 'same'), put(other)]))
    const ids = blocks.map(blockId).sort().reverse()
    expect(
      oracle(blocks)
        .alive.get('/k')
        ?.map(({ id }) => id)
    ).toEqual(ids)
  })

  it('lists all versions of a key, the winner first', () => {
    const a = block([put('/k', 'a'), priority(1)])
    const b = block([put('/k', 'b'), priority(3)])
    const c = block([put('/k', 'c'), priority(3)])
    expect(oracle([a, b, c]).alive).toEqual(
      new Map([
        [
          '/k',
          [
            { id: blockId(c), priority: 3n, value: utf8('c') },
            { id: blockId(b), priority: 3n, value: utf8('b') },
            { id: blockId(a), priority: 1n, value: utf8('a') }
          ]
        ]
      ])
    )
  })

  it('shows an empty value', () => {
    expect(shown(block([put('/k', '')]))).toEqual({ '/k': '' })
    expect(shown(block([bytesField(1, bytesField(1, '/k'))]))).toEqual({ '/k': '' })
  })

  it('takes a whole delta at once', () => {
    expect(shown(block([put('/a'), put('/b'), priority(1)]))).toEqual({ '/a': '/a', '/b': '/b' })
  })

  it('takes the last element of a key that is there twice in a delta', () => {
    expect(shown(block([put('/k', 'z'), put('/k', 'a')]))).toEqual({ '/k': 'a' })
    expect(shown(block([put('/k', 'z'), put('/other'), put('k//', 'a')]))).toEqual({
      '/k': 'a',
      '/other': '/other'
    })
    expect(oracle([block([put('/k', 'z'), put('/k', 'a')])]).alive.get('/k')).toHaveLength(1)
  })

  it('goes by the block and not by the id that an element claims', () => {
    const a = block([bytesField(1, join(bytesField(1, '/k'), bytesField(2, 'other'), bytesField(3, 'v')))])
    expect(oracle([a]).alive.get('/k')?.[0]?.id).toBe(blockId(a))
  })

  it('shares the keys between DAGs', () => {
    expect(
      shown(block([put('/k', 'a'), priority(1), dagName('red')]), block([put('/k', 'b'), priority(2)]))
    ).toEqual({ '/k': 'b' })
  })
})

describe('tombstones', () => {
  const a = block([put('/k', 'a'), priority(1)])
  const b = block([put('/k', 'b'), priority(2)])

  it('end exactly the element that they name', () => {
    expect(shown(a, b, block([tombstone('/k', blockId(b)), priority(3)], [a, b]))).toEqual({ '/k': 'a' })
    expect(shown(a, b, block([tombstone('/k', blockId(a)), tombstone('/k', blockId(b))], [a, b]))).toEqual({})
    expect(shown(a, b, block([tombstone('/other', blockId(b))]))).toEqual({ '/k': 'b' })
  })

  it('end an element of any priority, from any DAG, without a link to it', () => {
    expect(shown(b, block([tombstone('/k', blockId(b)), dagName('red')]))).toEqual({})
  })

  it('leave what was put beside or after them', () => {
    const c = block([tombstone('/k', blockId(b)), put('/k', 'c'), priority(3)], [b])
    expect(shown(b, c)).toEqual({ '/k': 'c' })
  })

  it('are accepted with and without the leading slash', () => {
    const bare = blockId(b).slice(1)
    expect(shown(b, block([tombstone('/k', bare)]))).toEqual({})
    expect(oracle([block([tombstone('/k', bare)])]).tombstones).toEqual(new Map([['/k', [blockId(b)]]]))
  })

  it('are kept for a block that is not there', () => {
    const ids = [blockId(a), blockId(b)].sort()
    for (const order of [ids, [...ids].reverse()]) {
      const found = oracle([block(order.map((id) => tombstone('/k', id)))])
      expect(found.tombstones).toEqual(new Map([['/k', ids]]))
    }
  })

  it('are ignored when no sha2-256 block has that id', () => {
    const id = blockId(b)
    const sha1 = '/' + base32upper.encode(join(hex('11 14'), new Uint8Array(20))).slice(1)
    const sha3 = '/' + base32upper.encode(join(hex('16 20'), sha256(b))).slice(1)
    const long = '/' + base32upper.encode(join(hex('12 21'), new Uint8Array(33))).slice(1)
    const spilled = id.slice(0, -1) + { A: 'B', I: 'J', Q: 'R', Y: 'Z' }[id.slice(-1)]
    const wrong = [
      '',
      '/',
      'x',
      '/' + id,
      id + '/',
      id + '\n',
      id.toLowerCase(),
      id + '=',
      id.slice(0, -1),
      id + 'A'
    ]
    for (const other of [...wrong, sha1, sha3, long, spilled, blockCid(b)]) {
      const c = block([tombstone('/k', other), put('/c')])
      expect(shown(b, c)).toEqual({ '/k': 'b', '/c': '/c' })
      expect(oracle([b, c]).tombstones).toEqual(new Map())
    }
  })

  it('accept each of the four last characters that an id can have', () => {
    for (const last of [0, 1, 2, 3]) {
      const digest = new Uint8Array(32).fill(last)
      const id = '/' + base32upper.encode(join(hex('12 20'), digest)).slice(1)
      expect(oracle([block([tombstone('/k', id)])]).tombstones).toEqual(new Map([['/k', [id]]]))
    }
  })
})

describe('keys', () => {
  it('are as Go cleans them', () => {
    const same = {
      y: '/y',
      '/y': '/y',
      '/t/': '/t',
      '/a//b': '/a/b',
      '//a': '/a',
      '/a/./b': '/a/b',
      '/a/../b': '/b',
      './a': '/a',
      '/a/b/../../c': '/c',
      '/a/b/..': '/a',
      '/...': '/...',
      '/..a': '/..a',
      '/a/.b.': '/a/.b.',
      '/ ': '/ ',
      '/a\\b': '/a\\b',
      '/\0': '/\0',
      '/%2e%2e': '/%2e%2e',
      '/\uFEFFa': '/\uFEFFa',
      '\uFEFF': '/\uFEFF'
    }
    for (const [key, clean] of Object.entries(same)) {
      expect(canonicalKey(key)).toBe(clean)
      expect(shown(block([put(key, 'v')]))).toEqual({ [clean]: 'v' })
    }
  })

  it('have no effect when they are the root or climb above it, even for a moment', () => {
    const keys = [
      '',
      '/',
      '//',
      '.',
      '/.',
      './',
      '/a/..',
      '/a/b/../..',
      '..',
      '/..',
      '../a',
      '/../a',
      '/../../x',
      '/a/../../a',
      '/a/../../b/c',
      '//../a',
      '/./../a'
    ]
    for (const key of keys) {
      expect(canonicalKey(key)).toBeUndefined()
      const a = block([put(key, 'v'), put('/ok')])
      const b = block([tombstone(key, blockId(a))])
      expect(shown(a, b)).toEqual({ '/ok': '/ok' })
      expect(oracle([a, b]).tombstones).toEqual(new Map())
      expect(oracle([a, b]).invalid).toBe(0)
    }
  })

  it('are cleaned in tombstones as in elements', () => {
    const a = block([put('x//y/', 'v')])
    expect(shown(a, block([tombstone('/z/../x/y', blockId(a))]))).toEqual({})
  })

  it('are not normalised as Unicode', () => {
    expect(shown(block([put('/\u00e9', 'a'), put('/e\u0301', 'b')]))).toEqual({
      '/\u00e9': 'a',
      '/e\u0301': 'b'
    })
  })
})

describe('heads', () => {
  const root = block([put('/k'), priority(1)])

  it('are the nodes that no other links to', () => {
    const left = block([put('/l'), priority(2)], [root])
    const right = block([put('/r'), priority(2)], [root])
    expect(tips(root)).toEqual({ '': cids(root) })
    expect(tips(root, left, right)).toEqual({ '': cids(left, right) })
    expect(tips(root, left, right, block([], [left, right]))).toEqual({ '': cids(block([], [left, right])) })
  })

  it('are told apart by DAG, and a link from another DAG takes none away', () => {
    const red = block([put('/r'), dagName('red')])
    const both = block([put('/b')], [root, red])
    expect(tips(root, red, both)).toEqual({ '': cids(both), red: cids(red) })
    const redder = block([dagName('red')], [red, root])
    expect(tips(root, red, redder)).toEqual({ '': cids(root), red: cids(redder) })
  })

  it('do not need what they link to, nor all that is between', () => {
    const child = block([put('/c')], [root])
    const grandchild = block([put('/g')], [child])
    expect(tips(child)).toEqual({ '': cids(child) })
    expect(tips(root, grandchild)).toEqual({ '': cids(root, grandchild) })
  })

  it('know a node by its multihash, so a CIDv0 links as well', () => {
    const child = join(link(cidV0(root)), bytesField(1, put('/c')))
    expect(tips(root, child)).toEqual({ '': cids(child) })
  })

  it('are not touched by links to what is no dag-pb node with sha2-256', () => {
    const raw = cidV1(root, 0x55)
    const identity = join(varint(1), varint(0x70), hex('00 03'), utf8('abc'))
    // The digest of another hash function can be the same bytes.
    const sha3 = join(varint(1), varint(0x70), hex('16 20'), sha256(root))
    const short = join(varint(1), varint(0x70), hex('12 14'), sha256(root).subarray(0, 20))
    for (const cid of [raw, identity, sha3, short]) {
      const child = join(link(cid), bytesField(1, put('/c')))
      expect(oracle([root, child])).toMatchObject({ nodes: 2, invalid: 0 })
      expect(tips(root, child)).toEqual({ '': cids(root, child) })
      expect(shown(root, child)).toEqual({ '/k': '/k', '/c': '/c' })
    }
  })

  it('may link to the same node twice', () => {
    const child = block([], [root, root])
    expect(tips(root, child)).toEqual({ '': cids(child) })
  })
})

describe('odd blocks', () => {
  const root = block([put('/k'), priority(1)])

  it('are nodes with links but without effects when the delta does not decode', () => {
    const odd = block([put('/no'), priority(9), dagName('red'), hex('ff')], [root])
    expect(shown(root, odd)).toEqual({ '/k': '/k' })
    // Its DAG is the unnamed one, since the name that it seems to have is a part of what does not decode.
    expect(oracle([root, odd])).toMatchObject({
      heads: new Map([['', cids(odd)]]),
      nodes: 2,
      invalid: 1,
      deferred: 0
    })
    const above = block([put('/above')], [odd])
    expect(tips(root, odd, above)).toEqual({ '': cids(above) })
  })

  it('have no effects from their tombstones either', () => {
    const odd = block([tombstone('/k', blockId(root)), hex('ff')])
    expect(shown(root, odd)).toEqual({ '/k': '/k' })
    expect(oracle([odd]).tombstones).toEqual(new Map())
  })

  it('are nodes without links when they are no dag-pb', () => {
    const good = block([put('/c')], [root])
    const odds = [
      utf8('no dag-pb at all'),
      hex('0a'),
      join(good, hex('0a 00')),
      join(good, link(cidV1(root))),
      join(good, varintField(1, 1)),
      join(link(cidV1(root)), varintField(1, 1)),
      join(link(cidV1(root)), varintField(2, 1), bytesField(1, put('/c'))),
      join(link(cidV1(root)), link(join(varint(1), varint(2n ** 63n), cidV0(root)))),
      join(good, bytesField(3, '')),
      join(good, varintField(0, 1)),
      good.subarray(0, -1),
      join(bytesField(2, join(bytesField(2, ''), bytesField(1, cidV1(root)))), bytesField(1, put('/c'))),
      join(
        bytesField(2, join(bytesField(1, cidV1(root)), bytesField(1, cidV1(root)))),
        bytesField(1, put('/c'))
      ),
      join(bytesField(2, join(bytesField(1, cidV1(root)), bytesField(4, ''))), bytesField(1, put('/c'))),
      join(bytesField(2, join(bytesField(1, cidV1(root)), bytesField(3, ''))), bytesField(1, put('/c'))),
      join(link(cidV1(root)), link(new Uint8Array(0)), bytesField(1, put('/c'))),
      join(link(cidV1(root)), link(join(varint(2), cidV1(root).subarray(1))), bytesField(1, put('/c'))),
      join(link(cidV1(root)), link(cidV1(root).subarray(0, -1)), bytesField(1, put('/c'))),
      join(link(cidV1(root)), link(cidV0(root).subarray(0, -1)), bytesField(1, put('/c'))),
      join(link(cidV1(root)), bytesField(2, bytesField(2, 'no hash')), bytesField(1, put('/c')))
    ]
    for (const odd of odds) {
      expect(shown(root, odd)).toEqual({ '/k': '/k' })
      expect(oracle([root, odd])).toMatchObject({
        heads: new Map([['', cids(root, odd)]]),
        nodes: 2,
        invalid: 1
      })
      expect(() => dagPb.decode(odd)).toThrow()
    }
  })

  it('are no dag-pb either when only a lenient decoder would take them', () => {
    const digest = sha256(root)
    const odds = [
      // A decoder that cuts tags off at 32 bits takes this one for that of the data.
      join(link(cidV1(root)), varint(2n ** 32n + 10n), varint(0)),
      join(bytesField(2, join(bytesField(1, cidV1(root)), hex('18'), varint(2n ** 64n)))),
      join(link(cidV1(root)), link(join(hex('12 14'), digest.subarray(0, 20)))),
      join(link(cidV1(root)), link(join(hex('00 70 12 20'), digest))),
      join(link(cidV1(root)), link(join(hex('81 00 70 12 20'), digest))),
      join(link(cidV1(root)), link(join(hex('01 70 12 a0 00'), digest)))
    ]
    for (const odd of odds) {
      const heads = new Map([['', cids(root, odd)]])
      expect(oracle([root, odd])).toMatchObject({ heads, nodes: 2, invalid: 1 })
    }
  })

  it('leave alone what dag-pb allows', () => {
    const fine = [
      join(bytesField(1, put('/c')), link(cidV1(root))),
      join(bytesField(2, bytesField(1, cidV1(root))), bytesField(1, put('/c'))),
      join(bytesField(2, join(bytesField(1, cidV1(root)), varintField(3, 5))), bytesField(1, put('/c'))),
      join(bytesField(2, join(bytesField(1, cidV1(root)), bytesField(2, 'named'))), bytesField(1, put('/c')))
    ]
    for (const odd of fine) {
      expect(dagPb.decode(odd).Links).toHaveLength(1)
      expect(shown(root, odd)).toEqual({ '/k': '/k', '/c': '/c' })
      expect(oracle([root, odd])).toMatchObject({ heads: new Map([['', cids(odd)]]), invalid: 0 })
    }
  })

  it('overlook bytes after the CID of a link, as go-cid does and @ipld/dag-pb does not', () => {
    const raw = cidV1(root, 0x55)
    for (const cid of [cidV0(root), cidV1(root), raw]) {
      const odd = join(link(join(cid, hex('00'))), bytesField(1, put('/c')))
      expect(() => dagPb.decode(odd)).toThrow()
      expect(shown(root, odd)).toEqual({ '/k': '/k', '/c': '/c' })
      const heads = new Map([['', cid === raw ? cids(root, odd) : cids(odd)]])
      expect(oracle([root, odd])).toMatchObject({ heads, nodes: 2, invalid: 0 })
    }
  })

  it('take a node without data as one with an empty delta, and the empty block as such a node', () => {
    const bare = link(cidV1(root))
    expect(oracle([root, bare])).toMatchObject({ heads: new Map([['', cids(bare)]]), nodes: 2, invalid: 0 })
    const empty = new Uint8Array(0)
    expect(oracle([empty])).toMatchObject({ heads: new Map([['', cids(empty)]]), nodes: 1, invalid: 0 })
  })
})

describe('required features', () => {
  const root = block([put('/k'), priority(1)])
  const written = {
    'one by one': varintField(100, 7),
    packed: bytesField(100, varint(7)),
    'feature 0': varintField(100, 0),
    several: join(varintField(100, 1), bytesField(100, join(varint(2), varint(2n ** 32n - 1n))))
  }

  for (const [name, requires] of Object.entries(written)) {
    it(`make a node without effects: ${name}`, () => {
      const delta = [tombstone('/k', blockId(root)), put('/no'), priority(9), dagName('red'), requires]
      const waiting = block(delta, [root])
      expect(shown(root, waiting)).toEqual({ '/k': '/k' })
      expect(oracle([root, waiting])).toMatchObject({
        nodes: 2,
        invalid: 0,
        deferred: 1,
        tombstones: new Map()
      })
      // It stays in its own DAG, and its links count there.
      expect(tips(root, waiting)).toEqual({ '': cids(root), red: cids(waiting) })
      const unnamed = block([put('/no'), requires], [root])
      expect(tips(root, unnamed)).toEqual({ '': cids(unnamed) })
    })
  }

  it('are none when the list is empty or has a wrong wire type', () => {
    for (const none of [bytesField(100, ''), join(tag(100, 5), hex('07 00 00 00'))]) {
      expect(oracle([block([put('/k'), none])])).toMatchObject({ deferred: 0, invalid: 0 })
      expect(shown(block([put('/k'), none]))).toEqual({ '/k': '/k' })
    }
  })

  it('make the delta invalid when the packed list is truncated', () => {
    expect(oracle([block([put('/k'), bytesField(100, hex('07 80'))])])).toMatchObject({
      deferred: 0,
      invalid: 1
    })
  })

  it('are not what an element has in field 100', () => {
    const a = block([bytesField(1, join(bytesField(1, '/k'), varintField(100, 7)))])
    expect(shown(a)).toEqual({ '/k': '' })
  })
})

describe('protobuf', () => {
  it('skips unknown fields of every wire type', () => {
    const unknown = [
      varintField(5, 2n ** 64n - 1n),
      join(tag(6, 1), new Uint8Array(8)),
      bytesField(101, hex('ff')),
      join(tag(7, 5), new Uint8Array(4)),
      varintField(2 ** 29 - 1, 1),
      join(tag(8, 3), varintField(1, 1), tag(8, 3), bytesField(9, 'x'), tag(8, 4), tag(8, 4)),
      join(tag(8, 3), tag(8, 4))
    ]
    for (const field of unknown) expect(decodes(field)).toBe(true)
    for (const field of unknown) {
      const element = bytesField(1, join(bytesField(1, '/k'), field, bytesField(3, 'v')))
      expect(shown(block([element]))).toEqual({ '/k': 'v' })
    }
  })

  it('takes a known field with a wrong wire type as unknown', () => {
    const wrong = [
      varintField(1, 1),
      join(tag(1, 3), tag(1, 4)),
      varintField(2, 1),
      bytesField(3, 'x'),
      varintField(4, 1),
      join(tag(3, 5), new Uint8Array(4)),
      join(tag(3, 1), new Uint8Array(8)),
      join(tag(4, 3), tag(4, 4))
    ]
    for (const field of wrong) expect(decodes(field)).toBe(true)
    const element = join(
      varintField(1, 1),
      bytesField(1, '/k'),
      varintField(1, 1),
      bytesField(3, 'v'),
      varintField(3, 1)
    )
    expect(shown(block([bytesField(1, element)]))).toEqual({ '/k': 'v' })
    expect(oracle([block([priority(5), bytesField(3, 'x'), put('/k')])]).alive.get('/k')?.[0]?.priority).toBe(
      5n
    )
  })

  it('takes the last of a scalar that is there twice', () => {
    expect(oracle([block([priority(5), put('/k'), priority(0)])]).alive.get('/k')?.[0]?.priority).toBe(0n)
    // The number in the field of the string is not the last, since it is unknown.
    const named = block([dagName('red'), dagName('blue'), varintField(4, 1)])
    expect(tips(named)).toEqual({ blue: cids(named) })
    const element = join(bytesField(1, '/a'), bytesField(3, 'a'), bytesField(1, '/b'), bytesField(3, 'b'))
    expect(shown(block([bytesField(1, element)]))).toEqual({ '/b': 'b' })
  })

  it('is strict about UTF-8, even in a string that a later one replaces', () => {
    const wrong = ['ff', 'c0 80', 'ed a0 80', 'f4 90 80 80', 'e2 82', '80', 'f8 88 80 80 80']
    for (const bytes of wrong.map(hex)) {
      expect(decodes(bytesField(4, bytes))).toBe(false)
      expect(decodes(bytesField(4, bytes), dagName('red'))).toBe(false)
      for (const number of [1, 2]) {
        expect(decodes(bytesField(1, bytesField(number, bytes)))).toBe(false)
        expect(decodes(bytesField(1, join(bytesField(number, bytes), bytesField(number, '/x'))))).toBe(false)
        expect(decodes(bytesField(2, bytesField(number, bytes)))).toBe(false)
      }
      expect(decodes(bytesField(1, join(bytesField(1, '/x'), bytesField(3, bytes))))).toBe(true)
      expect(decodes(bytesField(104, bytes))).toBe(true)
    }
    expect(decodes(dagName('\u{10FFFF}\uFFFF\0'))).toBe(true)
  })

  it('refuses a field number of 0 or beyond 2^29 - 1', () => {
    expect(decodes(varintField(0, 1))).toBe(false)
    expect(decodes(varintField(2 ** 29, 1))).toBe(false)
    expect(decodes(join(varint(2n ** 64n - 8n), varint(1)))).toBe(false)
    // 2^32 / 8 is where 32 bits would wrap around to a known field.
    expect(decodes(join(varint(2n ** 32n + 24n), varint(1)))).toBe(false)
    expect(decodes(join(tag(8, 3), varintField(0, 1), tag(8, 4)))).toBe(false)
    expect(decodes(bytesField(1, varintField(0, 1)))).toBe(false)
  })

  it('refuses what is truncated', () => {
    const truncated = [
      '18',
      '18 80',
      '0a',
      '0a 05 00',
      '29',
      '29 00 00 00 00 00 00 00',
      '2d 00 00 00',
      '43',
      '43 08',
      '0a 02 0a 01',
      'a0',
      '0a ff ff ff ff ff ff ff ff ff 01'
    ]
    for (const bytes of truncated) expect(decodes(hex(bytes))).toBe(false)
  })

  it('refuses a varint of more than 64 bits, but not one with needless bytes', () => {
    expect(decodes(hex('18 ff ff ff ff ff ff ff ff ff 01'))).toBe(true)
    expect(decodes(hex('18 ff ff ff ff ff ff ff ff ff 02'))).toBe(false)
    expect(decodes(hex('18 80 80 80 80 80 80 80 80 80 80 00'))).toBe(false)
    expect(decodes(hex('28 80 80 80 80 80 80 80 80 80 02'))).toBe(false)
    expect(decodes(hex('18 81 80 80 80 80 80 80 80 80 00'))).toBe(true)
    expect(decodes(hex('98 80 80 00 01'))).toBe(true)
    expect(shown(block([put('/k', 'a'), hex('98 00 85 00')]), block([put('/k', 'b'), priority(4)]))).toEqual({
      '/k': 'a'
    })
  })

  it('refuses wire types that are none, and groups that do not match', () => {
    expect(decodes(tag(8, 6))).toBe(false)
    expect(decodes(tag(8, 7))).toBe(false)
    expect(decodes(tag(8, 4))).toBe(false)
    expect(decodes(join(tag(8, 3), tag(9, 4)))).toBe(false)
    expect(decodes(join(tag(8, 3), tag(9, 3), tag(8, 4), tag(9, 4)))).toBe(false)
    expect(decodes(join(tag(8, 3), tag(9, 6), tag(8, 4)))).toBe(false)
  })

  it("has protobuf-go's limits inside of groups", () => {
    expect(decodes(join(tag(8, 3), varintField(2 ** 31 - 1, 1), tag(8, 4)))).toBe(true)
    expect(decodes(join(tag(8, 3), varintField(2 ** 31, 1), tag(8, 4)))).toBe(false)
    const nested = (depth: number): Uint8Array =>
      join(new Uint8Array(depth).fill(0x43), new Uint8Array(depth).fill(0x44))
    expect(decodes(nested(10_001))).toBe(true)
    expect(decodes(nested(10_002))).toBe(false)
    expect(decodes(nested(500_000))).toBe(false)
  })
})
