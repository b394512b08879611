// Broadcasts: heads with and without an inlined block, the legacy form, and what of a damaged message still counts.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AnnouncedHead,
  announcedHeadSize,
  decodeBroadcast,
  encodeBroadcast,
  InvalidBroadcastError
} from '../../src/codec/broadcast.ts'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { anyText } from './any-text.ts'
import {
  type Bytes,
  block,
  bytesField,
  cidV0,
  cidV1,
  hex,
  join,
  priority,
  put,
  utf8,
  varintField
} from './wire-bytes.ts'

const a = block([put('/a'), priority(1)])
const b = block([put('/b'), priority(2)], [a])
const headA: AnnouncedHead = { id: blockId(a), dagName: '' }
const headB: AnnouncedHead = { id: blockId(b), dagName: 'red' }

/** A `Head` message inside a `CRDTBroadcast`. */
const head = (...fields: Bytes[]): Bytes => bytesField(1, join(...fields))
const cid = (bytes: Bytes): Bytes => bytesField(1, bytes)

describe('encoding', () => {
  test('writes heads as CIDv1, a DAG name where there is one, a block where it is inlined', () => {
    expect(encodeBroadcast([headA, { ...headB, block: b }])).toEqual(
      join(head(cid(cidV1(a))), head(cid(cidV1(b)), bytesField(2, 'red'), bytesField(100, b)))
    )
    expect(encodeBroadcast([])).toEqual(hex(''))
  })

  test('gives back what was written, in at most the size it said', () => {
    const heads = fc.array(
      fc.record(
        {
          id: fc.uint8Array({ maxLength: 4 }).map(blockId),
          dagName: anyText(90),
          block: fc.oneof(
            fc.uint8Array({ maxLength: 40 }),
            fc.constantFrom(127, 128, 300).map((size) => new Uint8Array(size))
          )
        },
        { requiredKeys: ['id', 'dagName'] }
      ),
      { maxLength: 5 }
    )
    fc.assert(
      fc.property(heads, (announced) => {
        const message = encodeBroadcast(announced)
        expect(decodeBroadcast(message)).toEqual({ heads: announced, invalidHeads: 0 })
        const bound = announced.reduce((size, one) => size + announcedHeadSize(one), 0)
        expect(message.length).toBeLessThanOrEqual(bound)
      })
    )
  })

  test('takes an upper bound of a size even for the largest block that may ride along', () => {
    const large = { ...headB, dagName: 'é'.repeat(120), block: new Uint8Array(512 * 1024) }
    expect(encodeBroadcast([large]).length).toBeLessThanOrEqual(announcedHeadSize(large))
  })
})

describe('decoding', () => {
  test('reads an empty message as one without heads', () => {
    expect(decodeBroadcast(hex(''))).toEqual({ heads: [], invalidHeads: 0 })
  })

  test('takes CIDv0 and CIDv1 of one block as one node', () => {
    const { heads } = decodeBroadcast(join(head(cid(cidV0(a))), head(cid(cidV1(a)))))
    expect(heads).toEqual([headA, headA])
  })

  test('ignores extension fields of a head that it does not know', () => {
    const extended = head(
      varintField(101, 7),
      cid(cidV1(b)),
      bytesField(102, 'x'),
      bytesField(2, 'red'),
      varintField(1, 3)
    )
    expect(decodeBroadcast(extended)).toEqual({ heads: [headB], invalidHeads: 0 })
  })

  test('takes the last of what is there twice in a head', () => {
    const twice = head(cid(cidV1(a)), bytesField(2, 'blue'), bytesField(2, 'red'), cid(cidV1(b)))
    expect(decodeBroadcast(twice).heads).toEqual([headB])
  })

  test('reads a legacy message, a bare CID, as a head of the unnamed DAG', () => {
    expect(decodeBroadcast(cidV0(a))).toEqual({ heads: [headA], invalidHeads: 0 })
    expect(decodeBroadcast(cidV1(a))).toEqual({ heads: [headA], invalidHeads: 0 })
  })

  test('does not let one bad head drop the others', () => {
    const bad: Record<string, Bytes> = {
      'no CID': head(bytesField(2, 'red')),
      'an empty head': head(),
      'an empty CID': head(cid(hex(''))),
      'a CID that is cut off': head(cid(cidV1(b).subarray(0, -1))),
      'bytes after a CID': head(cid(join(cidV1(b), hex('00')))),
      'a CID of raw bytes': head(cid(cidV1(b, 0x55))),
      'an identity CID': head(cid(join(hex('01 70 00 03'), utf8('abc')))),
      'a CID that is not minimal': head(cid(join(hex('01 70 12 a0 00'), cidV0(b).subarray(2)))),
      'a CID with its version 0 spelt out': head(cid(join(hex('00 70'), cidV0(b)))),
      'a CID as a number': head(varintField(1, 1)),
      'a DAG name that is no UTF-8': head(cid(cidV1(b)), bytesField(2, hex('ff'))),
      'a head that is cut off': head(cid(cidV1(b)), hex('12 05 61')),
      'a field number of 0': head(cid(cidV1(b)), varintField(0, 1)),
      'a group without an end': head(cid(cidV1(b)), hex('43'))
    }
    for (const [name, wrong] of Object.entries(bad)) {
      const found = { heads: [headA, headB], invalidHeads: 1 }
      const good = head(cid(cidV1(b)), bytesField(2, 'red'))
      expect(decodeBroadcast(join(head(cid(cidV1(a))), wrong, good)), name).toEqual(found)
    }
  })

  test('keeps the heads of a message that has unknown fields beside them', () => {
    // Go drops such a message, which is why none of ours has a field there.
    const unknown = join(bytesField(100, 'x'), head(cid(cidV1(a))), varintField(2, 1))
    expect(decodeBroadcast(unknown)).toEqual({ heads: [headA], invalidHeads: 0 })
  })

  test('refuses by name what is neither a broadcast nor a CID', () => {
    const nothing = [
      hex('ff'),
      utf8('hello'),
      cidV1(a, 0x55),
      cidV0(a).subarray(0, -1),
      join(cidV0(a), hex('00')),
      join(hex('00 70'), cidV0(a)),
      head(cid(cidV1(a))).subarray(0, -1),
      bytesField(100, 'x')
    ]
    for (const bytes of nothing) expect(() => decodeBroadcast(bytes)).toThrow(InvalidBroadcastError)
  })
})
