// The journal row: replayed as it was written, or not at all.
import { CorruptRowError } from '../../../src/errors.ts'
import { ChangeSet, journaledCommitter, replayJournal } from '../../../src/storage/commit.ts'
import type { Row, RowStore } from '../../../src/storage/row-store.ts'
import { hex, join, utf8, varint } from '../../codec/wire-bytes.ts'
import type { Chance } from '../chance.ts'
import { text } from '../structured.ts'
import { demand, demandSame, few, type Target } from '../target.ts'

const JOURNAL = '/crdt/j'

type Changes = ReadonlyMap<string, Uint8Array | null>

/** Rows in memory, and every write in its order. */
class MemoryRows implements RowStore {
  readonly atomic = false
  readonly writes: Changes[] = []
  readonly #rows = new Map<string, Uint8Array>()

  async get(row: string): Promise<Uint8Array | undefined> {
    return this.#rows.get(row)
  }

  async getMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return rows.map((row) => this.#rows.get(row))
  }

  async readMany(rows: readonly string[]): Promise<Array<Uint8Array | undefined>> {
    return await this.getMany(rows)
  }

  async *scan(): AsyncGenerator<Row> {}
  async *scanKeys(): AsyncGenerator<string> {}
  async *scanHands(): AsyncGenerator<Row[]> {}
  async *scanKeyHands(): AsyncGenerator<string[]> {}

  async write(rows: Changes): Promise<void> {
    this.writes.push(new Map(rows))
    for (const [row, value] of rows) {
      if (value === null) this.#rows.delete(row)
      else this.#rows.set(row, value)
    }
  }

  async apply(writes: () => Promise<void>): Promise<void> {
    await writes()
  }

  async flush(): Promise<void> {}
}

async function journalOf(changes: ChangeSet): Promise<Uint8Array> {
  const rows = new MemoryRows()
  await journaledCommitter(rows, JOURNAL, 0).commit(changes)
  return rows.writes[0]?.get(JOURNAL) as Uint8Array
}

export const journalTarget: Target = {
  name: 'journal',
  weight: 6,
  seeds: () => [
    new Uint8Array(0),
    join(entry(1, '/crdt/k/a', utf8('value')), entry(0, '/crdt/e/a:B')),
    join(entry(1, '/crdt/s', hex('00')), entry(1, '/crdt/b/00000000000001', new Uint8Array(200)))
  ],
  generate: (chance) => join(...chance.some(4, () => anyEntry(chance))),
  async run(input) {
    const rows = new MemoryRows()
    await rows.write(new Map([[JOURNAL, input]]))
    try {
      await replayJournal(rows, JOURNAL)
    } catch (error) {
      if (!(error instanceof CorruptRowError)) throw error
      demand(error.message.includes(JOURNAL), 'The error does not name the row')
      demandSame(rows.writes.length, 1, 'The writes of a corrupt journal and none')
      return error.message.replace(/^.*?damaged: /, '')
    }
    const expected = readPlainly(input)
    demandSame(
      [...(rows.writes[1] ?? [])],
      expected && [...expected],
      'The changes and those of the plain reading'
    )
    const changes = new ChangeSet()
    for (const [row, value] of rows.writes[1] ?? []) {
      if (value === null) changes.delete(row)
      else changes.put(row, value)
    }
    const again = readPlainly(await journalOf(changes))
    demandSame([...(again ?? [])], [...changes.rows], 'The changes and the changes written again')
    const puts = [...changes.rows.values()].filter((value) => value !== null).length
    return `${few(puts)} ${few(changes.rows.size - puts)}`
  }
}

/** Entry by entry, and strictly: undefined unless every entry is a put or a delete of one of the store's own rows. */
function readPlainly(input: Uint8Array): Map<string, Uint8Array | null> | undefined {
  const changes = new Map<string, Uint8Array | null>()
  let at = 0
  const number = (): number => {
    let sum = 0
    for (let shift = 0; ; shift++) {
      const byte = input[at++] as number
      sum += (byte & 127) * 128 ** shift
      if (byte < 128) return sum
    }
  }
  const bytes = (): Uint8Array => {
    const length = number()
    at += length
    return input.slice(at - length, at)
  }
  while (at < input.length) {
    const type = number()
    if (type > 1) return undefined
    const row = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes())
    if (!/^\/crdt\/.*[^/]$/s.test(row)) return undefined
    changes.set(row, type === 1 ? bytes() : null)
  }
  return changes
}

const framed = (bytes: Uint8Array): Uint8Array => join(varint(bytes.length), bytes)

const entry = (type: number, row: string, value?: Uint8Array): Uint8Array =>
  join(varint(type), framed(utf8(row)), value === undefined ? new Uint8Array(0) : framed(value))

function anyEntry(chance: Chance): Uint8Array {
  const type = chance.percent(80) ? varint(chance.below(2)) : varint(chance.number(), chance.below(3))
  const row = chance.percent(70) ? utf8(`/crdt/k/${chance.below(3)}`) : text(chance)
  const length = chance.percent(90) ? varint(row.length) : varint(chance.number())
  return join(
    type,
    length,
    row,
    chance.percent(60) ? framed(chance.bytes(chance.small(12))) : new Uint8Array(0)
  )
}
