// Generators of hostile input: bytes of no form, golden messages with something changed, and messages whose every
// part is plausible and whose whole is not.
import fc from 'fast-check'
import { blockId } from '../../src/testkit/oracle/oracle.ts'
import { goldenBlocks, goldenSequences } from './golden.ts'
import {
  type Bytes,
  block,
  bytesField,
  cidV0,
  cidV1,
  FIXED32,
  FIXED64,
  GROUP,
  GROUP_END,
  hex,
  join,
  put,
  tag,
  tombstone,
  utf8,
  varint,
  varintField
} from './wire-bytes.ts'

const bytes = (maxLength: number): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ maxLength }).map((given) => Uint8Array.from(given))

/** One change of a message, with places given as parts of its length. */
interface Mutation {
  kind: 'flip' | 'set' | 'insert' | 'remove' | 'cut' | 'copy'
  at: number
  other: number
  byte: number
}

// Bytes that mean something on the wire: tags, lengths, ends of varints, beginnings of CIDs, UTF-8 that breaks off.
const telling = fc.constantFrom(0, 1, 8, 10, 12, 18, 20, 24, 26, 32, 34, 36, 43, 44, 112, 127, 128, 162, 255)
const place = fc.integer({ min: 0, max: 9999 })
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('flip', 'set', 'insert', 'remove', 'cut', 'copy'),
  ...{ at: place, other: place },
  byte: fc.oneof(telling, fc.nat({ max: 255 }))
})

function mutate(message: Bytes, { kind, at, other, byte }: Mutation): Bytes {
  const here = Math.floor((at * (message.length + 1)) / 10_000)
  const there = Math.floor((other * (message.length + 1)) / 10_000)
  const [from, to] = here < there ? [here, there] : [there, here]
  const [head, tail] = [message.subarray(0, here), message.subarray(here)]
  if (kind === 'flip')
    return join(
      head,
      Uint8Array.from(tail.subarray(0, 1), (b) => b ^ (1 << (byte % 8))),
      tail.subarray(1)
    )
  if (kind === 'set') return join(head, Uint8Array.of(byte), tail.subarray(1))
  if (kind === 'insert') return join(head, Uint8Array.of(byte), tail)
  if (kind === 'remove') return join(head, tail.subarray(1))
  if (kind === 'cut') return head
  return join(message.subarray(0, to), message.subarray(from))
}

/** A golden message with one to three changes. */
function mutated(messages: readonly Bytes[]): fc.Arbitrary<Bytes> {
  return fc
    .tuple(fc.nat({ max: messages.length - 1 }), fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([index, mutations]) => mutations.reduce(mutate, messages[index]!))
}

/** Blocks that generated links name, so that a link shows: they cease to be heads. */
export const linkTargets: Bytes[] = ['/x', '/y', '/z'].map((key) => block([put(key)]))

const key = fc.constantFrom('/k', 'k//', '/l', '/a/../k', '/../k', '', '/', '/é', '\uFEFF')
const targetId = blockId(linkTargets[0]!)
const id = fc.constantFrom(targetId, targetId.slice(1), `${targetId.slice(0, -1)}7`, 'nothing')
const text = fc.oneof(
  key.map(utf8),
  id.map(utf8),
  fc.constantFrom(hex('ff'), hex('ed a0 80'), hex('c3')),
  bytes(3)
)
const number = fc.constantFrom(0n, 1n, 127n, 128n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 2n ** 64n)
const fieldNumber = fc.constantFrom(1, 2, 3, 4, 5, 100, 101, 0, 2 ** 29 - 1, 2 ** 29)

const oddField: fc.Arbitrary<Bytes> = fc.oneof(
  fc.tuple(fieldNumber, number).map(([field, value]) => varintField(field, value)),
  fc.tuple(fieldNumber, text).map(([field, value]) => bytesField(field, value)),
  fieldNumber.map((field) => join(tag(field, FIXED32), new Uint8Array(4))),
  fieldNumber.map((field) => join(tag(field, FIXED64), new Uint8Array(8))),
  fc
    .tuple(fieldNumber, fieldNumber, number)
    .map(([open, close, value]) => join(tag(open, GROUP), varintField(6, value), tag(close, GROUP_END))),
  fc.tuple(fc.nat({ max: 7 }), number).map(([wireType, value]) => join(tag(3, wireType), varint(value, 1)))
)

/** Mostly the fields that belong there, now and then one that does not, in no order that can be relied on. */
function message(field: fc.Arbitrary<Bytes>, maxLength: number): fc.Arbitrary<Bytes> {
  const any = fc.oneof({ weight: 12, arbitrary: field }, { weight: 1, arbitrary: oddField })
  return fc.array(any, { maxLength }).map((fields) => join(...fields))
}

const element = message(
  fc.oneof(
    key.map((value) => bytesField(1, value)),
    id.map((value) => bytesField(2, value)),
    bytes(3).map((value) => bytesField(3, value))
  ),
  4
)

/** The bytes of a `Delta`, almost. */
export const oddDelta: fc.Arbitrary<Bytes> = message(
  fc.oneof(
    { weight: 4, arbitrary: element.map((value) => bytesField(1, value)) },
    { weight: 1, arbitrary: element.map((value) => bytesField(2, value)) },
    { weight: 2, arbitrary: fc.tuple(key, id).map(([of, name]) => tombstone(of, name)) },
    { weight: 2, arbitrary: number.map((value) => varintField(3, value)) },
    { weight: 1, arbitrary: fc.constantFrom('red', '').map((value) => bytesField(4, value)) },
    { weight: 1, arbitrary: fc.nat({ max: 300 }).map((value) => varintField(100, value)) }
  ),
  6
)

const target = fc.constantFrom(...linkTargets)
const cid: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 4, arbitrary: target.map((to) => cidV1(to)) },
  { weight: 2, arbitrary: target.map(cidV0) },
  { weight: 1, arbitrary: target.map((to) => cidV1(to, 0x55)) },
  { weight: 1, arbitrary: target.map((to) => join(hex('01 f0 00'), cidV0(to))) },
  { weight: 1, arbitrary: target.map((to) => join(hex('01 70 16 20'), cidV0(to).subarray(2))) },
  { weight: 1, arbitrary: target.map((to) => join(hex('01 70 12 a0 00'), cidV0(to).subarray(2))) },
  {
    weight: 1,
    arbitrary: fc.tuple(target, number).map(([to, codec]) => join(varint(1), varint(codec), cidV0(to)))
  },
  { weight: 1, arbitrary: fc.tuple(target, bytes(2)).map(([to, more]) => join(cidV1(to), more)) },
  { weight: 1, arbitrary: fc.tuple(target, bytes(2)).map(([to, more]) => join(cidV0(to), more)) },
  {
    weight: 1,
    arbitrary: fc.tuple(target, fc.nat({ max: 36 })).map(([to, end]) => cidV1(to).subarray(0, end))
  },
  { weight: 1, arbitrary: bytes(4) }
)
const linkFields = fc.oneof(
  {
    weight: 8,
    arbitrary: cid.map((hash) => join(bytesField(1, hash), bytesField(2, ''), varintField(3, 0)))
  },
  { weight: 2, arbitrary: cid.map((hash) => bytesField(1, hash)) },
  { weight: 1, arbitrary: fc.tuple(cid, oddField).map(([hash, odd]) => join(bytesField(1, hash), odd)) },
  { weight: 1, arbitrary: element }
)
const links = fc
  .array(linkFields, { maxLength: 3 })
  .map((each) => join(...each.map((fields) => bytesField(2, fields))))
const section = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(links, oddDelta).map(([some, delta]) => join(some, bytesField(1, delta)))
  },
  {
    weight: 1,
    arbitrary: fc.tuple(oddDelta, links).map(([delta, some]) => join(bytesField(1, delta), some))
  },
  { weight: 1, arbitrary: links },
  {
    weight: 1,
    arbitrary: message(
      fc.oneof(
        links,
        oddDelta.map((delta) => bytesField(1, delta))
      ),
      4
    )
  }
)

/** Blocks of every degree of damage. */
export const hostileBlock: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 1, arbitrary: bytes(60) },
  { weight: 4, arbitrary: mutated(goldenBlocks) },
  { weight: 5, arbitrary: section }
)

const broadcasts = goldenSequences.flatMap(({ broadcasts }) => broadcasts)
const head = message(
  fc.oneof(
    { weight: 3, arbitrary: cid.map((hash) => bytesField(1, hash)) },
    { weight: 1, arbitrary: text.map((name) => bytesField(2, name)) },
    { weight: 1, arbitrary: bytes(9).map((inlined) => bytesField(100, inlined)) }
  ),
  3
)

/** Messages of gossip of every degree of damage. */
export const hostileBroadcast: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 1, arbitrary: bytes(60) },
  { weight: 1, arbitrary: cid },
  {
    weight: 4,
    arbitrary: mutated([...broadcasts, join(broadcasts[0]!, broadcasts[1]!), cidV0(linkTargets[0]!)])
  },
  {
    weight: 4,
    arbitrary: message(
      head.map((fields) => bytesField(1, fields)),
      4
    )
  }
)

/** Bytes that may be taken for a `Delta`. */
export const hostileDelta: fc.Arbitrary<Bytes> = fc.oneof(
  { weight: 1, arbitrary: bytes(60) },
  { weight: 5, arbitrary: oddDelta },
  { weight: 1, arbitrary: fc.tuple(oddDelta, mutation).map(([delta, change]) => mutate(delta, change)) }
)
