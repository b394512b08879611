/**
 * Kinds of life that a simulation leads: which steps are likely, on which keys, by how many replicas.
 *
 * Invariant: every kind of fault stands in at least one profile, and every profile has writes, so that no run is about
 * nothing.
 */
import type { Step } from './script.ts'

export interface Profile {
  replicas: number
  /** Peers that are not honest, and how small the limits of the others are because of them. */
  hostiles?: number
  steps: number
  /** Keys that are written to; few, so that writes meet. */
  keys: number
  /** Names of DAGs; the unnamed one is `''`. */
  dagNames: readonly string[]
  /** The longest wait between two steps, in virtual milliseconds. */
  waitMsMax: number
  /** How likely each step is, relative to the others. */
  weights: Partial<Record<Step['do'], number>>
}

const WRITES = { put: 30, delete: 10, batch: 8, together: 6, burst: 2, abort: 2, wait: 20, check: 3 } as const
const HARM = {
  ...{ 'odd block': 20, 'forged heads': 2, noise: 3, 'misused streams': 4, answers: 3, asks: 4 },
  ...{ 'hostile leaves': 1 }
} as const
const BASE: Profile = {
  ...{ replicas: 4, steps: 60, keys: 6, dagNames: [''], waitMsMax: 150 },
  weights: WRITES
}

export const PROFILES = {
  /** Loss, duplicates and disorder, partitions in both directions and in one. */
  network: {
    ...BASE,
    replicas: 5,
    weights: { ...WRITES, partition: 4, cut: 3, heal: 4, link: 3 }
  },
  /** All of it happens to one key and one other. */
  'hot keys': { ...BASE, keys: 2, waitMsMax: 40, weights: { ...WRITES, delete: 25, partition: 3, heal: 4 } },
  /** Several DAGs over one key space. */
  'named DAGs': {
    ...BASE,
    dagNames: ['', 'one', 'two'],
    weights: { ...WRITES, delete: 20, partition: 4, heal: 4 }
  },
  /** DAGs are dropped and taken up again. */
  'purged DAGs': {
    ...BASE,
    keys: 4,
    dagNames: ['', 'one', 'two'],
    weights: { ...WRITES, delete: 20, purge: 4, resume: 6, partition: 2, heal: 3, crash: 2, start: 8 }
  },
  /** Replicas write alone for a long time and meet. */
  'offline writers': {
    ...BASE,
    replicas: 3,
    waitMsMax: 20,
    weights: { ...WRITES, burst: 6, partition: 6, heal: 1 }
  },
  /** Replicas come late, and write before they are level. */
  joiners: { ...BASE, replicas: 2, weights: { ...WRITES, join: 6, partition: 2, heal: 3 } },
  /** Processes end, in order and not, and come back. */
  crashes: {
    ...BASE,
    weights: { ...WRITES, close: 2, crash: 4, 'crash at write': 5, start: 14, partition: 2, heal: 3 }
  },
  /** Machines lose their power, and disks fail and are slow. */
  disks: {
    ...BASE,
    weights: { ...WRITES, 'lose power': 4, start: 12, 'fail writes': 5, 'slow disk': 3, 'crash at write': 3 }
  },
  /** Disks are lost, and old copies of them come back. */
  'lost disks': {
    ...BASE,
    weights: { ...WRITES, 'lose disk': 2, 'back up': 4, restore: 3, start: 12, crash: 2 }
  },
  /** Peers that lie, say odd blocks and misuse streams. */
  'hostile peers': {
    ...BASE,
    ...{ replicas: 3, hostiles: 2, waitMsMax: 600 },
    weights: {
      ...{ put: 20, delete: 8, batch: 4, together: 4, wait: 20, partition: 1, heal: 2, crash: 1, start: 3 },
      ...HARM
    }
  },
  /** Peers that say more than anybody can take. */
  floods: {
    ...BASE,
    ...{ replicas: 3, hostiles: 2, waitMsMax: 300 },
    weights: {
      ...{ put: 20, delete: 8, batch: 4, together: 4, wait: 20, 'slow disk': 2, crash: 1, start: 3 },
      ...{ flood: 6, 'forged heads': 6, noise: 4, 'misused streams': 4, 'odd block': 2 }
    }
  },
  /** Everything at once. */
  everything: {
    ...BASE,
    replicas: 5,
    hostiles: 1,
    steps: 90,
    dagNames: ['', '', 'one'],
    weights: {
      ...WRITES,
      ...{ 'odd block': 3, asks: 1, answers: 1, noise: 1 },
      ...{ partition: 3, cut: 2, link: 2, heal: 4, join: 1, close: 1, start: 12, crash: 2, 'lose power': 2 },
      ...{ 'crash at write': 2, 'fail writes': 2, 'slow disk': 1, 'lose disk': 1, 'back up': 1, restore: 1 },
      ...{ purge: 1, resume: 2 }
    }
  }
} as const satisfies Record<string, Profile>

export type ProfileName = keyof typeof PROFILES
