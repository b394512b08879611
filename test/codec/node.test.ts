// Nodes: what a block of any bytes means. A block that hashes to its id is always a node; what is odd about it
// decides what of it counts, and nothing else does.
import * as dagPb from '@ipld/dag-pb'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cidFromBlockId } from '../../src/codec/block-id.ts'
import { decodeDagPb, encodeDagPb } from '../../src/codec/dag-pb.ts'
import { type DagNode, decodeNode, encodeNode } from '../../src/codec/node.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import {
  type Bytes,
  block,
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
  sha256,
  tombstone,
  utf8,
  varint,
  varintField
} from './wire-bytes.ts'

const read = (bytes: Bytes): DagNode => decodeNode(blockId(bytes), bytes)
const parent = block([put('/parent'), priority(1)])
const other = block([put('/other'), priority(1)])
const [parentId, otherId] = [blockId(parent), blockId(other)]
const data = bytesField(1, put('/c'))
/** A block of one link, given by its bytes, and data. */
const linking = (...links: Bytes[]): Bytes => join(...links.map((bytes) => bytesField(2, bytes)), data)

const NO_EFFECTS = { elements: [], tombstones: [], priority: 0n, dagName: '', requires: [] }

describe('encoding', () => {
  test('writes links first, each with an empty name and a size of 0, then the delta', () => {
    const delta = {
      ...NO_EFFECTS,
      elements: [{ key: '/k', value: utf8('v') }],
      priority: 2n
    }
    expect(encodeNode(delta, [parentId, otherId])).toEqual(
      block([put('/k', 'v'), priority(2)], [parent, other])
    )
  })

  test('writes what @ipld/dag-pb writes of the same links in the same order', () => {
    const ids = fc.array(fc.uint8Array({ maxLength: 3 }).map(blockId), { maxLength: 5 })
    const sizes = fc.oneof(fc.nat({ max: 40 }), fc.constantFrom(127, 128, 16_383, 16_384))
    fc.assert(
      fc.property(ids, sizes, (links, size) => {
        const bytes = new Uint8Array(size).fill(9)
        const Links = links.map((id) => ({ Hash: cidFromBlockId(id), Name: '', Tsize: 0 }))
        expect(encodeDagPb(bytes, links)).toEqual(dagPb.encode({ Data: bytes, Links }))
        expect(decodeDagPb(encodeDagPb(bytes, links))).toEqual({ data: bytes, links, foreignLinks: 0 })
      })
    )
  })
})

describe('effects', () => {
  test('have canonical keys, in elements and in tombstones', () => {
    const { delta } = read(block([put('x//y/', 'v'), tombstone('/z/../x/y', parentId)]))
    expect(delta.elements).toEqual([{ key: '/x/y', value: utf8('v') }])
    expect(delta.tombstones).toEqual([{ key: '/x/y', id: parentId }])
  })

  test('are none for keys that climb above the root or are the root', () => {
    for (const key of ['', '/', '..', '/../x', '/a/../../b']) {
      const node = read(block([put(key), tombstone(key, parentId), put('/ok')]))
      expect(node.oddity).toBeUndefined()
      expect(node.delta.elements.map(({ key }) => key)).toEqual(['/ok'])
      expect(node.delta.tombstones).toEqual([])
    }
  })

  test('of a key twice in one delta are those of its last element, in whatever spelling', () => {
    const { elements } = read(block([put('/k', 'z'), put('/other', 'o'), put('k//', 'a')])).delta
    expect(new Map(elements.map(({ key, value }) => [key, value]))).toEqual(
      new Map([
        ['/k', utf8('a')],
        ['/other', utf8('o')]
      ])
    )
  })

  test('of a tombstone with and without the slash are the same, and none of one that names no block', () => {
    const bare = parentId.slice(1)
    const { tombstones } = read(
      block([tombstone('/k', parentId), tombstone('k', bare), tombstone('/k', 'x'), tombstone('/l', bare)])
    ).delta
    expect(tombstones).toEqual([
      { key: '/k', id: parentId },
      { key: '/l', id: parentId }
    ])
  })

  test('go by the block: the id that an element claims is ignored', () => {
    const element = join(bytesField(1, '/k'), bytesField(2, parentId), bytesField(3, 'v'))
    expect(read(block([bytesField(1, element)])).delta.elements).toEqual([{ key: '/k', value: utf8('v') }])
  })

  test('keep what a delta requires, its DAG and its exact priority', () => {
    const { delta } = read(
      block([put('/k'), priority(2n ** 64n - 1n), dagName('red'), requires(7), requires(7)])
    )
    expect(delta).toMatchObject({ priority: 2n ** 64n - 1n, dagName: 'red', requires: [7, 7] })
  })

  test('may be empty values', () => {
    const { elements } = read(block([put('/a', ''), bytesField(1, bytesField(1, '/b'))])).delta
    expect(elements).toEqual([
      { key: '/a', value: new Uint8Array(0) },
      { key: '/b', value: new Uint8Array(0) }
    ])
  })
})

describe('links', () => {
  test('of CIDv0 and CIDv1 to one block are one link to one node', () => {
    expect(read(linking(bytesField(1, cidV0(parent)))).links).toEqual([parentId])
    const both = read(join(link(cidV1(parent)), link(cidV0(other)), link(cidV0(parent)), data))
    expect(both).toMatchObject({ links: [parentId, otherId], foreignLinks: 0 })
  })

  test('to what is no dag-pb block with sha2-256 are counted and not followed', () => {
    const foreign = [
      cidV1(parent, 0x55),
      join(hex('01 70 00 03'), utf8('abc')),
      join(hex('01 70 16 20'), sha256(parent)),
      join(hex('01 70 12 14'), sha256(parent).subarray(0, 20)),
      join(hex('01 70 12 21'), sha256(parent), hex('00')),
      join(varint(1), varint(2n ** 63n - 1n), cidV0(parent)),
      hex('01 70 00 00')
    ]
    for (const cid of foreign) {
      const node = read(join(link(cid), link(cidV1(parent)), data))
      expect(node).toMatchObject({ links: [parentId], foreignLinks: 1 })
      expect(node.oddity).toBeUndefined()
      expect(node.delta.elements).toHaveLength(1)
    }
  })

  test('ignore bytes after their CID, as go-cid does', () => {
    for (const cid of [cidV0(parent), cidV1(parent)]) {
      expect(read(linking(bytesField(1, join(cid, hex('00 ff')))))).toMatchObject({
        links: [parentId],
        foreignLinks: 0
      })
    }
  })

  test('may leave out name and size, have a name or a size, and stand after the data', () => {
    const hash = bytesField(1, cidV1(parent))
    const fine = [
      linking(hash),
      linking(join(hash, varintField(3, 5))),
      linking(join(hash, bytesField(2, 'named'))),
      linking(join(hash, bytesField(2, hex('ff')), varintField(3, 2n ** 64n - 1n))),
      join(data, bytesField(2, hash))
    ]
    for (const bytes of fine) {
      const node = read(bytes)
      expect(node.oddity).toBeUndefined()
      expect(node.links).toEqual([parentId])
      expect(node.delta.elements).toHaveLength(1)
    }
  })

  test('may be 90,000', () => {
    const one = link(cidV1(parent))
    const many = new Uint8Array(90_000 * one.length)
    const digests = new DataView(many.buffer)
    for (let index = 0; index < 90_000; index++) {
      many.set(one, index * one.length)
      digests.setUint32(index * one.length + 20, index)
    }
    const node = read(join(many, data))
    expect(node.oddity).toBeUndefined()
    expect(node.links).toHaveLength(90_000)
  })
})

describe('odd blocks', () => {
  const noDagPb: Record<string, Bytes> = {
    'any text': utf8('no dag-pb at all'),
    'cut off': block([put('/c')], [parent]).subarray(0, -1),
    'data twice': join(data, data),
    'links before and after the data': join(link(cidV1(parent)), data, link(cidV1(other))),
    'an unknown field': join(data, bytesField(3, '')),
    'a field number of 0': join(data, varintField(0, 1)),
    'a tag beyond 32 bits': join(link(cidV1(parent)), varint(2n ** 32n + 10n), varint(0)),
    'data as a number': join(link(cidV1(parent)), varintField(1, 1)),
    'links as a number': join(varintField(2, 1), data),
    'a group': join(data, hex('0b 0c')),
    'a link without a hash': linking(bytesField(2, 'name')),
    'an empty link': linking(hex('')),
    'a link with its fields out of order': linking(join(bytesField(2, ''), bytesField(1, cidV1(parent)))),
    'a link with two hashes': linking(join(bytesField(1, cidV1(parent)), bytesField(1, cidV1(parent)))),
    'a link with an unknown field': linking(join(bytesField(1, cidV1(parent)), bytesField(4, ''))),
    'a link whose size is text': linking(join(bytesField(1, cidV1(parent)), bytesField(3, ''))),
    'a link whose size has 65 bits': linking(
      join(bytesField(1, cidV1(parent)), hex('18'), varint(2n ** 64n))
    ),
    'a CID that is empty': linking(bytesField(1, '')),
    'a CIDv0 that is cut off': linking(bytesField(1, cidV0(parent).subarray(0, -1))),
    'a CIDv0 of another length': linking(bytesField(1, join(hex('12 14'), sha256(parent).subarray(0, 20)))),
    'a CIDv1 that is cut off': linking(bytesField(1, cidV1(parent).subarray(0, -1))),
    'a CID of version 2': linking(bytesField(1, join(hex('02 70'), cidV0(parent)))),
    'a CID of version 0 with a codec': linking(bytesField(1, join(hex('00 70'), cidV0(parent)))),
    'a CID with a version that is not minimal': linking(bytesField(1, join(hex('81 00 70'), cidV0(parent)))),
    'a CID with a codec that is not minimal': linking(bytesField(1, join(hex('01 f0 00'), cidV0(parent)))),
    'a CID with a length that is not minimal': linking(
      bytesField(1, join(hex('01 70 12 a0 00'), sha256(parent)))
    ),
    'a CID with a codec of 64 bits': linking(
      bytesField(1, join(varint(1), varint(2n ** 63n), cidV0(parent)))
    ),
    'a CID with a digest of 2^62 bytes': linking(bytesField(1, join(hex('01 70 12'), varint(2n ** 62n))))
  }

  for (const [name, bytes] of Object.entries(noDagPb)) {
    test(`have neither effects nor links when they are no dag-pb: ${name}`, () => {
      expect(read(bytes)).toEqual({
        ...{ id: blockId(bytes), bytes, links: [], foreignLinks: 0 },
        ...{ delta: NO_EFFECTS, oddity: 'not-dag-pb' }
      })
    })
  }

  test('have links but no effects, and are of the unnamed DAG, when only the delta is invalid', () => {
    const bytes = block(
      [put('/no'), tombstone('/k', otherId), priority(9), dagName('red'), requires(7), hex('ff')],
      [parent]
    )
    expect(read(bytes)).toEqual({
      ...{ id: blockId(bytes), bytes, links: [parentId], foreignLinks: 0 },
      ...{ delta: NO_EFFECTS, oddity: 'invalid-delta' }
    })
  })

  test('are not those without data or without anything: their delta is the empty one', () => {
    const bare = link(cidV1(parent))
    expect(read(bare)).toEqual({
      ...{ id: blockId(bare), bytes: bare, links: [parentId] },
      ...{ foreignLinks: 0, delta: NO_EFFECTS }
    })
    const empty = new Uint8Array(0)
    expect(read(empty)).toEqual({
      ...{ id: blockId(empty), bytes: empty, links: [] },
      ...{ foreignLinks: 0, delta: NO_EFFECTS }
    })
  })
})
