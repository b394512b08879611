// The golden vectors of test/vectors as typed values: what running go-ds-crdt peers wrote, showed and sent.
import { readdirSync, readFileSync } from 'node:fs'

/** One call of a sequence, on a replica that nobody else writes to. */
export type GoldenOperation = { op: 'put'; key: string; value: Uint8Array } | { op: 'delete'; key: string }

export interface GoldenStep {
  operations: GoldenOperation[]
  /** Whether the operations were made by one batch. */
  batched: boolean
  /** The block that the step wrote, if it wrote any. */
  block: Uint8Array | undefined
  /** The only head after the step. */
  head: string | undefined
}

export interface GoldenSequence {
  name: string
  steps: GoldenStep[]
  broadcasts: Uint8Array[]
  state: Record<string, string>
}

export interface GoldenMerge {
  name: string
  /** CID to block. */
  blocks: Map<string, Uint8Array>
  heads: Record<string, string[]>
  state: Record<string, string>
}

interface JsonOperation {
  op: 'put' | 'delete'
  key: string
  value?: string
}

interface JsonStep {
  put?: { key: string; value: string }
  delete?: { key: string }
  batch?: JsonOperation[]
  block?: string
  head?: string
}

interface JsonVector {
  kind: 'merge' | 'sequence'
  blocks: Record<string, string>
  heads: Record<string, string[]>
  state: Record<string, string>
  broadcasts: string[]
  steps: JsonStep[]
}

const folder = new URL('../vectors/', import.meta.url)

export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

/** Values as the vectors spell them, in a plain object that prints well. */
export function inBase64(state: Iterable<readonly [string, Uint8Array]>): Record<string, string> {
  return Object.fromEntries([...state].map(([key, value]) => [key, Buffer.from(value).toString('base64')]))
}

function readVectors(): Array<{ name: string; vector: JsonVector }> {
  // Those in a folder are of the tests' own Go peer: `npm run vectors` makes them anew.
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.json')
  )
  return names.sort().map((name) => {
    const vector = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as JsonVector
    return { name, vector }
  })
}

function operationOf({ op, key, value }: JsonOperation): GoldenOperation {
  return op === 'put' ? { op, key, value: fromBase64(value ?? '') } : { op, key }
}

function stepOf(step: JsonStep, index: number, steps: JsonStep[]): GoldenStep {
  const { head, batch } = step
  // Every step names the head and its block, also one that wrote nothing.
  const block = head === steps[index - 1]?.head ? undefined : step.block
  const alone: JsonOperation[] = []
  if (step.put !== undefined) alone.push({ op: 'put', ...step.put })
  if (step.delete !== undefined) alone.push({ op: 'delete', ...step.delete })
  return {
    operations: (batch ?? alone).map(operationOf),
    batched: batch !== undefined,
    block: block === undefined ? undefined : fromBase64(block),
    head
  }
}

const vectors = readVectors()

export const goldenSequences: GoldenSequence[] = vectors
  .filter(({ vector }) => vector.kind === 'sequence')
  .map(({ name, vector: { steps, broadcasts, state } }) => ({
    ...{ name, state, steps: steps.map(stepOf) },
    broadcasts: broadcasts.map(fromBase64)
  }))

export const goldenMerges: GoldenMerge[] = vectors
  .filter(({ vector }) => vector.kind === 'merge')
  .map(({ name, vector: { blocks, heads, state } }) => ({
    ...{ name, heads, state },
    blocks: new Map(Object.entries(blocks).map(([cid, block]) => [cid, fromBase64(block)]))
  }))

/** Every block of every vector. */
export const goldenBlocks: Uint8Array[] = [
  ...goldenMerges.flatMap(({ blocks }) => [...blocks.values()]),
  ...goldenSequences.flatMap(({ steps }) => steps.flatMap(({ block }) => block ?? []))
]
