/**
 * The writes of a script: made, not waited for, and remembered as promises once they are acknowledged.
 *
 * Invariant: a write begins in the turn of its step, after what its writer saw of the keys that it removes was noted, so
 * that everything seen has to be removed by it.
 */
import { AbortError } from 'abort-error'
import { Key } from 'interface-datastore'
import { TOGETHER_KEYS } from '../checkers/together.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import { versionsOf, type WriteRecord } from './record.ts'
import type { Operation, Step } from './script.ts'
import { begun, whileItRuns } from './while-it-runs.ts'

export type WriteStep = Extract<Step, { do: 'put' | 'delete' | 'batch' | 'together' | 'burst' | 'abort' }>

const WRITES: ReadonlySet<string> = new Set<WriteStep['do']>([
  ...(['put', 'delete', 'batch', 'together', 'burst', 'abort'] as const)
])

export function isWrite(step: Step): step is WriteStep {
  return WRITES.has(step.do)
}

/** Begins the writes of a step. */
export async function write(record: WriteRecord, replica: SimulatedReplica, step: WriteStep): Promise<void> {
  if (!replica.isRunning) return
  switch (step.do) {
    case 'put':
      return putOne(record, replica, step)
    case 'delete':
      return await writeBatch(record, replica, [{ delete: step.key }], step.dagName)
    case 'batch':
      return await writeBatch(record, replica, step.operations, step.dagName)
    case 'together': {
      const operations = TOGETHER_KEYS.map((key) => ({ put: key, value: step.value }))
      return await writeBatch(record, replica, operations, undefined)
    }
    case 'burst':
      for (let i = 0; i < step.count; i++) {
        putOne(record, replica, { key: `${step.key}/${i % 3}`, value: `${replica.name}-${record.attempted}` })
      }
      return
    case 'abort': {
      const abort = new AbortController()
      replica.world.clock.setTimeout(() => abort.abort(new AbortError()), step.ms)
      return putOne(record, replica, step, abort.signal)
    }
  }
}

interface Put {
  key: string
  value: string
  dagName?: string
}

function putOne(
  record: WriteRecord,
  replica: SimulatedReplica,
  { key, value, dagName = '' }: Put,
  signal?: AbortSignal
): void {
  const { store } = replica
  const done = begun(() => store.put(new Key(key), bytes(value), { dagName, ...(signal && { signal }) }))
  record.watch(replica, { values: new Map([[key, value]]), seen: new Map() }, done)
}

async function writeBatch(
  record: WriteRecord,
  replica: SimulatedReplica,
  operations: readonly Operation[],
  dagName = ''
): Promise<void> {
  const values = new Map<string, string | undefined>()
  for (const one of operations) {
    if ('put' in one) values.set(one.put, one.value)
    else values.set(one.delete, undefined)
  }
  const seen = new Map<string, string[]>()
  for (const [key, value] of values) {
    if (value !== undefined) continue
    const versions = await whileItRuns(replica, () => versionsOf(replica, key))
    if (versions !== undefined) seen.set(key, versions)
  }
  if (!replica.isRunning) return
  const { store } = replica
  const commit = async (): Promise<void> => {
    const [only] = operations
    if (operations.length === 1 && only !== undefined && 'delete' in only) {
      return await store.delete(new Key(only.delete), { dagName })
    }
    const batch = store.batch({ dagName })
    for (const one of operations) {
      if ('put' in one) batch.put(new Key(one.put), bytes(one.value))
      else batch.delete(new Key(one.delete))
    }
    await batch.commit()
  }
  record.watch(replica, { values, seen }, commit())
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
