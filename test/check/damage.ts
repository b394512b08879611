// Damage of a store on disk, row by row.
import { LevelDatastore } from 'datastore-level'
import { type Datastore, Key } from 'interface-datastore'
import type { CheckReport } from '../../src/index.ts'
import { encodeLog } from '../../src/storage/rows.ts'
import { forge, forgeMissing } from '../replica/forge.ts'
import { rawRows } from '../storage/store-check.ts'

export type Rows = ReadonlyMap<string, Uint8Array>

/** Kinds of rows, by the letter below the namespace. */
export const KINDS = {
  m: 'meta',
  s: 'state',
  k: 'value',
  e: 'version',
  t: 'tombstone',
  a: 'applied',
  b: 'block',
  h: 'head',
  p: 'pending',
  w: 'wanted',
  g: 'gap',
  d: 'deferred',
  i: 'ignored',
  j: 'journal'
} as const

export type Letter = keyof typeof KINDS

export const letterOf = (row: string): Letter => row.charAt('/crdt/'.length) as Letter

/** Makes a datastore what these rows say. */
export async function writeRows(datastore: Datastore, rows: Rows): Promise<void> {
  const batch = datastore.batch()
  const before = await rawRows(datastore, '/')
  for (const row of before.keys()) if (!rows.has(row)) batch.delete(new Key(row, false))
  for (const [row, value] of rows) batch.put(new Key(row, false), value)
  await batch.commit()
}

/** A datastore on disk with these rows, opened. */
export async function levelWith(folder: string, rows: Rows): Promise<LevelDatastore> {
  const datastore = new LevelDatastore(folder)
  await datastore.open()
  await writeRows(datastore, rows)
  return datastore
}

export function without(rows: Rows, row: string): Rows {
  const rest = new Map(rows)
  rest.delete(row)
  return rest
}

export function having(rows: Rows, row: string, value: Uint8Array): Rows {
  return new Map(rows).set(row, value)
}

export function flipped(value: Uint8Array, index: number, bits = 0x04): Uint8Array {
  const copy = Uint8Array.from(value)
  copy[index] = (copy[index] as number) ^ bits
  return copy
}

/** Up to so many of the rows of a kind, spread over all of them. */
export function someOf(rows: Rows, letter: Letter, count: number): string[] {
  const all = [...rows.keys()].filter((row) => letterOf(row) === letter).sort()
  const step = Math.max(1, (all.length - 1) / Math.max(1, count - 1))
  return [...new Set(Array.from({ length: count }, (_, i) => all[Math.round(i * step)]))].filter(
    (row) => row !== undefined
  )
}

/** Rows that no commit would write, of every kind in which that can be told. */
export function extraRows(rows: Rows): Array<[string, Uint8Array]> {
  const missing = forgeMissing('extra')
  const other = forge({ puts: { '/other': '1' } })
  const valueIn = (letter: Letter): Uint8Array => rows.get(someOf(rows, letter, 1)[0] as string) as Uint8Array
  const [block] = someOf(rows, 'b', 1) as [string]
  return [
    ['/crdt/k/extra', valueIn('k')],
    [`/crdt/e/extra:${other.id.slice(1)}`, valueIn('e')],
    [`/crdt/t/extra:${other.id.slice(1)}`, valueIn('t')],
    ['/crdt/t/extra:damaged', valueIn('t')],
    ['/crdt/a/damaged', valueIn('a')],
    ['/crdt/b/00000000ffffff', rows.get(block) as Uint8Array],
    ['/crdt/b/1fffffffffffff', rows.get(block) as Uint8Array],
    ['/crdt/b/00000000fffffe', Uint8Array.of(1, 2, 3)],
    ['/crdt/b/00000000fffffd', encodeLog({ id: missing.id, bytes: other.bytes })],
    ['/crdt/b/damaged', rows.get(block) as Uint8Array],
    ['/crdt/b/ffffffffffffff', rows.get(block) as Uint8Array],
    ['/crdt/b/00000000000000', rows.get(block) as Uint8Array],
    [`/crdt/h/:${other.id.slice(1)}`, Uint8Array.of(1)],
    [`/crdt/h/side 1:${other.id.slice(1)}`, Uint8Array.of(1)],
    [`/crdt/g${missing.id}:${other.id.slice(1)}`, valueIn('g')],
    ['/crdt/g/damaged', valueIn('g')],
    [`/crdt/d${other.id}`, valueIn('d')],
    ['/crdt/i/damaged', Uint8Array.of(1)],
    ['/crdt/p/damaged', valueIn('p')],
    [`/crdt/p${missing.id}`, valueIn('p')],
    ['/crdt/w/damaged', Uint8Array.of(1)]
  ]
}

export function rowsNamed({ differences }: CheckReport): string[] {
  return differences.map(({ row }) => row)
}

/** The rows that are in one only, or differ. */
export function differing(a: Rows, b: Rows): string[] {
  const hex = (rows: Rows, row: string): string | undefined => {
    const value = rows.get(row)
    return value === undefined ? undefined : Buffer.from(value).toString('hex')
  }
  return [...new Set([...a.keys(), ...b.keys()])].filter((row) => hex(a, row) !== hex(b, row)).sort()
}
