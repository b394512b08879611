// The simulated disk and the datastores over it: what survives, and what each kind makes of a batch.
import { Key } from 'interface-datastore'
import { describe, expect, test } from 'vitest'
import { type DatastoreKind, SimulatedDatastore } from '../../src/testkit/disk/simulated-datastore.ts'
import { SimulatedDisk } from '../../src/testkit/disk/simulated-disk.ts'
import { seededRandom } from '../../src/testkit/seeded-random.ts'
import { VirtualClock } from '../../src/testkit/virtual-clock.ts'

const value = (text: string) => new TextEncoder().encode(text)
const rowsOf = (disk: SimulatedDisk) => disk.select(() => true).map(([row]) => row)
const write = (disk: SimulatedDisk, ...rows: string[]) =>
  disk.write(new Map(rows.map((row) => [row, value(row)])))

function open(kind: DatastoreKind, disk = new SimulatedDisk()) {
  const clock = new VirtualClock()
  return { clock, disk, datastore: new SimulatedDatastore(disk, { clock, kind }) }
}

const KINDS = ['level', 'atomic', 'plain'] as const

describe('a loss of power', () => {
  test('leaves what was flushed, and of the rest a beginning', () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 100; seed++) {
      const disk = new SimulatedDisk()
      write(disk, 'a')
      write(disk, 'b')
      disk.flush()
      for (const row of ['c', 'd', 'e']) write(disk, row)
      const lost = disk.losePower(seededRandom(seed))
      const left = ['a', 'b', 'c', 'd', 'e'].slice(0, 5 - lost)
      expect(rowsOf(disk)).toEqual(left)
      lengths.add(left.length)
    }
    expect([...lengths].sort()).toEqual([2, 3, 4, 5])
  })

  test('takes writes back whole: what they replaced and deleted is there again', () => {
    const disk = new SimulatedDisk([
      ['old', value('before')],
      ['gone', value('here')]
    ])
    disk.write(
      new Map([
        ['old', value('after')],
        ['gone', undefined],
        ['new', value('new')]
      ])
    )
    // The greatest number loses all.
    expect(disk.losePower(() => 0.999)).toBe(1)
    expect(disk.get('old')).toEqual(value('before'))
    expect(rowsOf(disk)).toEqual(['gone', 'old'])
  })

  test('takes nothing back twice', () => {
    const disk = new SimulatedDisk()
    write(disk, 'a')
    expect(disk.losePower(() => 0)).toBe(0)
    expect(disk.losePower(() => 0.999)).toBe(0)
    expect(rowsOf(disk)).toEqual(['a'])
  })
})

test('a copy has the rows and none of the faults, and lives on its own', () => {
  const disk = new SimulatedDisk()
  disk.faults.failRead = () => true
  write(disk, 'a')
  const copy = disk.copy()
  write(disk, 'b')
  expect(rowsOf(copy)).toEqual(['a'])
  expect(copy.faults).toEqual({})
})

describe.each(KINDS)('a datastore of the kind %s', (kind) => {
  test('does nothing any more once it was killed, and what it wrote is there', async () => {
    const { disk, datastore, clock } = open(kind)
    await datastore.put(new Key('/a'), value('a'))
    datastore.kill()
    const answers: string[] = []
    for (const call of [datastore.put(new Key('/b'), value('b')), datastore.get(new Key('/a'))]) {
      call.then(
        () => answers.push('resolved'),
        () => answers.push('rejected')
      )
    }
    await clock.advance(1000)
    expect(answers).toEqual([])
    expect(rowsOf(disk)).toEqual(['/a'])
  })

  test('stops its process at the write that is named, which is not made', async () => {
    const { disk, datastore, clock } = open(kind)
    let stopped = 0
    disk.onStop = () => stopped++
    disk.faults.stopAt = 2
    await datastore.put(new Key('/a'), value('a'))
    void datastore.put(new Key('/b'), value('b'))
    void datastore.put(new Key('/c'), value('c'))
    await clock.advance(1)
    expect(stopped).toBe(1)
    expect(rowsOf(disk)).toEqual(['/a'])
  })

  test('fails as it is told, before a write or after it', async () => {
    const { disk, datastore } = open(kind)
    disk.faults.failWrite = (number) => number === 1
    disk.faults.failAfterWrite = (number) => number === 2
    await expect(datastore.put(new Key('/a'), value('a'))).rejects.toMatchObject({ name: 'DiskError' })
    await expect(datastore.put(new Key('/b'), value('b'))).rejects.toMatchObject({ name: 'DiskError' })
    expect(rowsOf(disk)).toEqual(['/b'])
    disk.faults.failRead = () => true
    await expect(datastore.get(new Key('/b'))).rejects.toMatchObject({ name: 'DiskError' })
  })

  test('is as slow as it is told, in virtual time', async () => {
    const { disk, datastore, clock } = open(kind)
    disk.faults.writeMs = () => 30
    await clock.during(datastore.put(new Key('/a'), value('a')))
    expect(clock.now()).toBe(30)
  })
})

describe('a batch that is cut off', () => {
  test.each([
    ['level', [0]],
    ['atomic', [0]],
    ['plain', [0, 1, 2, 3]]
  ] as const)('of the kind %s leaves so many of its three rows: %s', async (kind, expected) => {
    const left = new Set<number>()
    for (let stopAt = 1; stopAt <= 4; stopAt++) {
      const { disk, datastore, clock } = open(kind)
      disk.faults.stopAt = stopAt
      const batch = datastore.batch()
      for (const row of ['/a', '/b', '/c']) batch.put(new Key(row), value(row))
      void batch.commit()
      await clock.advance(1)
      left.add(disk.size)
      if (kind !== 'plain') break
    }
    expect([...left]).toEqual(expected)
  })
})

test('a batch of Level that asks for it is safe from a loss of power', async () => {
  const { disk, datastore } = open('level')
  await datastore.db?.batch([{ type: 'put', key: '/a', value: value('a') }], { sync: true })
  await datastore.db?.batch([{ type: 'put', key: '/b', value: value('b') }])
  disk.losePower(() => 0.999)
  expect(rowsOf(disk)).toEqual(['/a'])
})
