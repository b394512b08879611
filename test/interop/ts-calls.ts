/**
 * What tests do with a TypeScript peer, in few words.
 */
import { Key } from 'interface-datastore'
import type { TsPeer } from './ts-peer.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export const key = (text: string): Key => new Key(text)

export async function write({ store }: TsPeer, name: string, value: string | Uint8Array): Promise<void> {
  await store.put(key(name), typeof value === 'string' ? bytes(value) : value)
}

export async function remove({ store }: TsPeer, name: string): Promise<void> {
  await store.delete(key(name))
}

/** Puts, and deletes where there is no value, in one batch. */
export async function batchOf({ store }: TsPeer, changes: Record<string, string | undefined>): Promise<void> {
  const batch = store.batch()
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) batch.delete(key(name))
    else batch.put(key(name), bytes(value))
  }
  await batch.commit()
}

export async function textOf({ store }: TsPeer, name: string): Promise<string> {
  return new TextDecoder().decode(await store.get(key(name)))
}
