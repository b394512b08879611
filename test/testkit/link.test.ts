// One direction of a network: what arrives, when, and in which order.
import { describe, expect, test } from 'vitest'
import { GOOD_LINK, Link, type LinkConditions } from '../../src/testkit/network/link.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

function linkWith(conditions: Partial<LinkConditions>, seed = 1) {
  const clock = new VirtualClock()
  const link = new Link(clock, seededRandom(seed), { ...GOOD_LINK, ...conditions })
  const arrived: string[] = []
  const stream = (name: string, bytes = 0) => link.stream(bytes, () => arrived.push(name))
  const datagram = (name: string, bytes = 0) => link.datagram(bytes, () => arrived.push(name))
  return { clock, link, arrived, stream, datagram }
}

const numbers = Array.from({ length: 1000 }, (_, index) => String(index))

describe('a stream', () => {
  test('keeps its order and loses nothing, whatever the latency and the loss', async () => {
    const { clock, arrived, stream } = linkWith({ jitterMs: 500, loss: 0.5, duplication: 0.5 })
    for (const name of numbers) stream(name)
    await clock.advance(10_000)
    expect(arrived).toEqual(numbers)
  })

  test('arrives after the latency', async () => {
    const { clock, arrived, stream } = linkWith({ latencyMs: 30 })
    stream('a')
    await clock.advance(29)
    expect(arrived).toEqual([])
    await clock.advance(1)
    expect(arrived).toEqual(['a'])
  })

  test('takes the time that its bytes need', async () => {
    const { clock, link, arrived, stream } = linkWith({ latencyMs: 10, bytesPerMs: 100 })
    stream('first', 5000)
    stream('second', 5000)
    await clock.advance(60)
    expect(arrived).toEqual(['first'])
    await clock.advance(49)
    expect(arrived).toEqual(['first'])
    await clock.advance(1)
    expect(arrived).toEqual(['first', 'second'])
    expect(link.bytes).toBe(10_000)
  })

  test('is held by a cut, and arrives in its order when the cut is mended', async () => {
    const { clock, link, arrived, stream } = linkWith({})
    stream('on its way')
    link.cut()
    stream('after')
    await clock.advance(1000)
    expect(arrived).toEqual([])
    stream('sent before the mending, and later than what is held')
    link.mend()
    expect(arrived).toEqual(['on its way', 'after'])
    await clock.advance(1000)
    expect(arrived).toHaveLength(3)
  })

  test('that is held is gone with its connection', async () => {
    const { clock, link, arrived, stream } = linkWith({})
    link.cut()
    stream('a')
    await clock.advance(1000)
    link.dropHeld()
    link.mend()
    await clock.advance(1000)
    expect(arrived).toEqual([])
  })
})

test('a link tells when the last of what is on its way arrives, whatever its conditions are by then', async () => {
  const { clock, link, arrived, stream, datagram } = linkWith({ latencyMs: 10, jitterMs: 50, bytesPerMs: 1 })
  expect(link.lastArrival).toBe(0)
  for (const name of numbers) datagram(name, 10)
  Object.assign(link.conditions, { bytesPerMs: Number.MAX_SAFE_INTEGER })
  await clock.advance(link.lastArrival - 1)
  expect(arrived.length).toBeLessThan(1000)
  await clock.advance(1)
  expect(arrived).toHaveLength(1000)
  stream('late')
  await clock.advance(link.lastArrival - clock.now())
  expect(arrived.at(-1)).toBe('late')
})

describe('a datagram', () => {
  test('is lost, doubled and overtaken as often as the conditions say', async () => {
    const { clock, arrived, datagram } = linkWith({ jitterMs: 100, loss: 0.2, duplication: 0.3 })
    for (const name of numbers) datagram(name)
    await clock.advance(1000)
    // 1,000 of them, each 1.3 times, of which 0.8 arrive.
    expect(arrived.length).toBeGreaterThan(950)
    expect(arrived.length).toBeLessThan(1130)
    expect(new Set(arrived).size).toBeLessThan(1000)
    expect(arrived).not.toEqual([...arrived].sort((a, b) => Number(a) - Number(b)))
  })

  test('arrives once where nothing is wrong', async () => {
    const { clock, arrived, datagram } = linkWith({})
    for (const name of numbers) datagram(name)
    await clock.advance(10)
    expect(arrived).toEqual(numbers)
  })

  test('is lost to a cut for good', async () => {
    const { clock, link, arrived, datagram } = linkWith({})
    datagram('on its way')
    link.cut()
    datagram('after')
    await clock.advance(1000)
    link.mend()
    await clock.advance(1000)
    expect(arrived).toEqual([])
  })
})
