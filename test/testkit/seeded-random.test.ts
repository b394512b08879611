// Chance that can be repeated: equal seeds give equal streams, and streams of one world do not touch each other.
import { describe, expect, test } from 'vitest'
import { below, pick, seededRandom, streamOf } from '../../src/testkit/seeded-random.ts'
import { World } from '../../src/testkit/world.ts'

const take = (random: () => number, count = 20) => Array.from({ length: count }, random)

describe('a stream', () => {
  test('is the same for the same seed and actor, and another for any other', () => {
    expect(take(streamOf(1, 'alice'))).toEqual(take(streamOf(1, 'alice')))
    const streams = [streamOf(1, 'alice'), streamOf(2, 'alice'), streamOf(1, 'bob'), streamOf(1, 'alicf')]
    expect(new Set(streams.map((stream) => String(take(stream)))).size).toBe(streams.length)
  })

  test('has numbers from 0 to 1, all over', () => {
    const numbers = take(seededRandom(3), 10_000)
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
    const tenths = new Set(numbers.map((number) => Math.floor(number * 10)))
    expect(tenths.size).toBe(10)
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.02)
  })

  test('of one actor is as it was when there is another, or another draws more often', () => {
    const [one, other] = [new World({ seed: 9 }), new World({ seed: 9 })]
    take(other.random('bob'), 1000)
    expect(take(other.random('alice'))).toEqual(take(one.random('alice')))
    expect(one.random('alice')).toBe(one.random('alice'))
  })
})

test('whole numbers and choices stay in their bounds, and reach them', () => {
  const random = seededRandom(5)
  const numbers = take(() => below(random, 4), 200)
  expect([...new Set(numbers)].sort()).toEqual([0, 1, 2, 3])
  const picked = take(() => 'abc'.indexOf(pick(random, ['a', 'b', 'c'])), 200)
  expect([...new Set(picked)].sort()).toEqual([0, 1, 2])
})
