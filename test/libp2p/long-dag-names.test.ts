// A delta may name a DAG as no writer of this package may: what is said of its node must not break what is said of others.
import { expect, test } from 'vitest'
import { claimOf, helloOf } from '../../src/libp2p/sync/protocol.ts'
import { defaultLimits } from '../../src/options.ts'
import { FakeReplica } from './fake-replica.ts'

const id = (letter: string): string => `/CIQ${letter.repeat(51)}Q`

test('a head of a DAG whose name is too long for a hello does not make the hello invalid', () => {
  const dagName = '\u{1f600}'.repeat(100)
  const heads = [
    { id: id('A'), dagName },
    { id: id('B'), dagName: 'x' }
  ]
  const snapshot = { ...new FakeReplica().snapshot(), heads, ignoredDags: [dagName, 'y'] }
  const claim = claimOf(helloOf('topic', snapshot, defaultLimits), defaultLimits)
  expect(claim.heads.map((head) => head.id)).toEqual([id('A'), id('B')])
  expect(claim.heads[0]?.dagName).toBe('\u{1f600}'.repeat(63))
  expect(claim.heads[1]?.dagName).toBe('x')
  expect(claim).toMatchObject({ headsLeftOut: 0, ignoredDags: ['y'] })
})
