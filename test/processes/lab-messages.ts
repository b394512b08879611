/**
 * What a test can ask of a peer in a process of its own, and what that tells by itself. Types only.
 */
import type { Change } from './workload.ts'

/** A store's numbers, and how many connections its node has. */
export interface LabStats {
  keys: number
  nodes: number
  heads: number
  gaps: number
  pending: number
  wanted: number
  digest: string
  counters: Record<string, number>
  sync: Record<string, number>
  broadcast: Record<string, number>
  connections: number
}

export interface LabMethods {
  /** Dials once. */
  connect(address: string): Promise<void>
  put(key: string, text: string): Promise<void>
  /** Writes in all lanes, each from its step on, until it is killed. */
  write(init: { seed: number; from: number[] }): Promise<void>
  /** Writes a history: so many puts, of values of so many bytes, to two DAGs. */
  fill(init: { count: number; bytes: number }): Promise<void>
  /** Waits for a number of nodes, a digest, or both. */
  reached(goal: { nodes?: number; digest?: string; withinMs: number }): Promise<LabStats>
  stats(): Promise<LabStats>
  /** The bytes in buffers that something still needs. */
  buffered(): Promise<number>
  /** `verify`, and whether the heads are true tips with every node below them: whatever is wrong. */
  check(): Promise<{ nodes: number; problems: string[] }>
  /** Every key, and the fingerprint of its value. */
  state(): Promise<Array<[key: string, fingerprint: string]>>
  /** Ends everything in order, and the process. */
  close(): Promise<void>
}

export type LabMethod = keyof LabMethods

export interface LabRequest {
  id: number
  method: LabMethod
  args: unknown[]
}

/** A line from the process. */
export type LabLine =
  | { ready: { address: string } }
  | { begun: { lane: number; index: number; changes: Change[] } }
  | { acknowledged: { lane: number; index: number } }
  | { id: number; result: unknown }
  | { id: number; error: string }
