/**
 * A script: everything that is done to a world, step by step, as plain data.
 *
 * A script is made of a seed, but once it is made it stands for itself: it can be printed, cut down to the few steps that
 * make it fail, and kept in a test.
 *
 * Invariant: a step that makes no sense when its turn comes (a replica that is down writes, one that runs is started) does
 * nothing, so that any part of a script is a script.
 */
import type { DatastoreKind } from '../disk/simulated-datastore.ts'
import type { Lie } from '../hostile/false-replica.ts'
import type { Telling } from '../hostile/hostile-peer.ts'
import type { OddKind } from '../hostile/odd-blocks.ts'
import type { Manner } from '../hostile/raw-streams.ts'
import type { LinkConditions } from '../network/link.ts'

/** One operation of a batch. */
export type Operation = { put: string; value: string } | { delete: string }

/** One thing that is done. Times are virtual milliseconds. */
export type Step =
  | { do: 'wait'; ms: number }
  /** Makes a replica that was not there before, and starts it. */
  | { do: 'join'; replica: string }
  | { do: 'put'; replica: string; key: string; value: string; dagName?: string }
  | { do: 'delete'; replica: string; key: string; dagName?: string }
  | { do: 'batch'; replica: string; operations: Operation[]; dagName?: string }
  /** Writes one value to all keys of the set that readers look at as a whole. */
  | { do: 'together'; replica: string; value: string }
  /** Puts so many keys without waiting for one of them. */
  | { do: 'burst'; replica: string; key: string; count: number }
  /** Puts, and stops to wait for it after so long. */
  | { do: 'abort'; replica: string; key: string; value: string; ms: number }
  /** Holds what it shows in the middle of everything against the oracle. */
  | { do: 'check'; replica: string }
  | { do: 'purge'; replica: string; dagName: string }
  | { do: 'resume'; replica: string; dagName: string }
  | { do: 'partition'; groups: string[][] }
  | { do: 'cut'; from: string; to: string }
  | { do: 'link'; conditions: Partial<LinkConditions> }
  | { do: 'heal' }
  | { do: 'close'; replica: string }
  | { do: 'start'; replica: string }
  | { do: 'crash'; replica: string }
  | { do: 'lose power'; replica: string }
  /** It crashes at its so manieth write from now. */
  | { do: 'crash at write'; replica: string; writes: number }
  /** Its next writes fail, before they are made or after. */
  | { do: 'fail writes'; replica: string; count: number; after: boolean }
  | { do: 'slow disk'; replica: string; ms: number }
  | { do: 'lose disk'; replica: string }
  | { do: 'back up'; replica: string }
  | { do: 'restore'; replica: string }
  | HostileStep

/** One thing that a peer does which is not honest. */
export type HostileStep =
  /** Makes such a peer, which lies to the sync protocol in one way. */
  | { do: 'hostile joins'; peer: string; lie: Lie }
  | { do: 'hostile leaves'; peer: string }
  /** Tells of a block of an odd kind, on top of what honest replicas have. */
  | { do: 'odd block'; peer: string; kind: OddKind; how: Telling; name: string; key: string }
  /** Says heads that nobody has. */
  | { do: 'forged heads'; peer: string; name: string; count: number; legacy: boolean }
  /** Says many nodes without links at once. */
  | { do: 'flood'; peer: string; name: string; count: number; bytes: number }
  /** Says bytes that mean nothing. */
  | { do: 'noise'; peer: string; count: number }
  /** Opens streams and misuses them. */
  | { do: 'misused streams'; peer: string; to: string; manner: Manner; count: number }
  /** What it does from now on with streams that are opened to it; nothing odd, if that is left out. */
  | { do: 'answers'; peer: string; manner?: Manner }
  | { do: 'asks'; peer: string; to: string }

/** How the replicas of a script are made. */
export interface ScriptReplicas {
  kind: DatastoreKind
  durability: 'process' | 'fsync'
  coalesce: boolean
  limits: Record<string, number>
}

export interface Script {
  seed: number
  /** What kind of life it is; see `PROFILES`. */
  profile: string
  replicas: ScriptReplicas
  link: Partial<LinkConditions>
  steps: Step[]
}

/** A script as it stands in a test. */
export function printScript(script: Script): string {
  const { steps, ...rest } = script
  const lines = steps.map((step) => `    ${JSON.stringify(step)}`)
  return `${JSON.stringify(rest).slice(0, -1)},"steps":[\n${lines.join(',\n')}\n]}`
}
