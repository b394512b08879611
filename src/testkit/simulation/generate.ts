/**
 * Makes a script of a seed.
 *
 * Invariant: the same seed and profile make the same script.
 */
import type { Random } from '../../replica/ports.ts'
import { LIES } from '../hostile/false-replica.ts'
import { below, pick, streamOf } from '../seeded-random.ts'
import { HARMS, type HarmKind, harmOf } from './generate-harm.ts'
import { PROFILES, type Profile, type ProfileName } from './profiles.ts'
import type { Operation, Script, ScriptReplicas, Step } from './script.ts'

const HOSTILE_NAMES = ['mallory', 'trudy', 'oscar']
const NAMES = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi', 'ivan', 'judy']

/** The script of a seed. Without a profile the seed chooses one. */
export function generateScript(seed: number, profileName?: ProfileName): Script {
  const random = streamOf(seed, 'script')
  const name = profileName ?? profileOf(seed)
  const profile: Profile = PROFILES[name]
  const maker = new StepMaker(random, profile)
  return {
    ...{ seed, profile: name, replicas: replicasOf(random, profile), link: linkOf(random) },
    steps: maker.steps()
  }
}

/** Lives among peers that are not honest take ten times as long as others, so they come once in so many seeds each. */
const COSTLY_EVERY = 40
const COSTLY: readonly ProfileName[] = ['hostile peers', 'floods']

function profileOf(seed: number): ProfileName {
  const costly = COSTLY[seed % COSTLY_EVERY]
  if (costly !== undefined) return costly
  const others = (Object.keys(PROFILES) as ProfileName[]).filter((name) => !COSTLY.includes(name))
  return others[seed % others.length] as ProfileName
}

/** Options by chance. */
export function replicasOf(random: Random, { hostiles = 0 }: Profile): ScriptReplicas {
  const kind = pick(random, ['level', 'level', 'atomic', 'plain'] as const)
  return {
    kind,
    durability: kind === 'level' && random() < 0.5 ? 'fsync' : 'process',
    coalesce: random() < 0.5,
    limits: {
      rebroadcastIntervalMs: 5000,
      gapPatienceMs: pick(random, [5000, 60_000]),
      deltaBytesMax: pick(random, [1024, 1_048_576]),
      inlineBytesMax: pick(random, [0, 16_384]),
      pendingBlocksPerPeerMax: pick(random, [16, 65_536]),
      commitNodesMax: pick(random, [1, 3, 256]),
      linksMax: pick(random, [1, 1024]),
      // So small that what one life writes is a long history.
      ...{ syncDivideNodesMin: 16, syncAheadBytesMax: 4096, syncFrameBytes: 1024 },
      ...(hostiles > 0 && limitsAmongHostiles(random))
    }
  }
}

/** So small that a peer can get over each of them within a short script. */
function limitsAmongHostiles(random: Random): Record<string, number> {
  return {
    gapPatienceMs: pick(random, [3000, 20_000]),
    pendingBlocksPerPeerMax: pick(random, [16, 64]),
    pendingBytesPerPeerMax: 64 * 1024,
    // Not below the heads that a flood leaves: what was said is remembered for as many.
    wantedHeadsMax: pick(random, [400, 1000]),
    blockBytesMax: 64 * 1024,
    readyBytesMax: 64 * 1024,
    syncStreamsPerPeerMax: pick(random, [2, 4]),
    syncStreamsMax: pick(random, [6, 64])
  }
}

/** Links by chance. */
export function linkOf(random: Random): Script['link'] {
  return {
    latencyMs: pick(random, [1, 10, 100]),
    jitterMs: pick(random, [0, 50, 300]),
    loss: pick(random, [0, 0.1, 0.3]),
    duplication: pick(random, [0, 0.2]),
    bytesPerMs: pick(random, [Number.MAX_SAFE_INTEGER, 100, 10])
  }
}

/** Makes steps as a profile has them. */
export class StepMaker {
  readonly #random: Random
  readonly #profile: Profile
  readonly #kinds: Array<[Step['do'], number]>
  readonly #replicas: string[]
  readonly #hostiles: string[]
  #value = 0

  constructor(random: Random, profile: Profile) {
    this.#random = random
    this.#profile = profile
    this.#kinds = Object.entries(profile.weights) as Array<[Step['do'], number]>
    this.#replicas = NAMES.slice(0, profile.replicas)
    this.#hostiles = HOSTILE_NAMES.slice(0, profile.hostiles ?? 0)
  }

  steps(): Step[] {
    const steps: Step[] = this.#replicas.map((replica) => ({ do: 'join', replica }))
    for (const peer of this.#hostiles) {
      steps.push({ do: 'hostile joins', peer, lie: pick(this.#random, LIES) })
    }
    for (let i = 0; i < this.#profile.steps; i++) steps.push(this.#step(this.#kind()))
    return steps
  }

  #kind(): Step['do'] {
    const sum = this.#kinds.reduce((total, [, weight]) => total + weight, 0)
    let left = this.#random() * sum
    for (const [kind, weight] of this.#kinds) {
      left -= weight
      if (left < 0) return kind
    }
    return 'wait'
  }

  #step(kind: Step['do']): Step {
    const random = this.#random
    const replica = pick(random, this.#replicas)
    if (HARMS.has(kind)) {
      const peer = pick(random, this.#hostiles)
      const name = `${this.#value++}`
      return harmOf(kind as HarmKind, { random, peer, name, key: this.#key(), to: replica })
    }
    switch (kind) {
      case 'wait':
        return { do: kind, ms: below(random, this.#profile.waitMsMax) }
      case 'join':
        return this.#join()
      case 'put':
        return { do: kind, replica, key: this.#key(), value: this.#text(), ...this.#dag() }
      case 'delete':
        return { do: kind, replica, key: this.#key(), ...this.#dag() }
      case 'batch':
        return { do: kind, replica, operations: this.#operations(), ...this.#dag() }
      case 'together':
        return { do: kind, replica, value: this.#text() }
      case 'burst':
        return { do: kind, replica, key: this.#key(), count: 1 + below(random, 20) }
      case 'abort':
        return { do: kind, replica, key: this.#key(), value: this.#text(), ms: below(random, 20) }
      case 'purge':
      case 'resume':
        return { do: kind, replica, dagName: pick(random, this.#profile.dagNames) }
      case 'partition':
        return { do: kind, groups: this.#groups() }
      case 'cut':
        return { do: kind, from: replica, to: pick(random, this.#others(replica)) }
      case 'link':
        return { do: kind, conditions: linkOf(random) }
      case 'crash at write':
        return { do: kind, replica, writes: 1 + below(random, 12) }
      case 'fail writes':
        return { do: kind, replica, count: 1 + below(random, 3), after: random() < 0.3 }
      case 'slow disk':
        return { do: kind, replica, ms: pick(random, [0, 5, 50]) }
      case 'heal':
        return { do: kind }
      default:
        return { do: kind, replica } as Step
    }
  }

  #join(): Step {
    const replica = NAMES[this.#replicas.length]
    // There are no more names: somebody who is there is not made anew.
    if (replica === undefined) return { do: 'wait', ms: 1 }
    this.#replicas.push(replica)
    return { do: 'join', replica }
  }

  #others(replica: string): string[] {
    return this.#replicas.filter((other) => other !== replica)
  }

  #groups(): string[][] {
    const left: string[] = []
    const right: string[] = []
    for (const replica of this.#replicas) (this.#random() < 0.5 ? left : right).push(replica)
    return this.#random() < 0.2 ? [] : [left, right]
  }

  #key(): string {
    return `/k/${below(this.#random, this.#profile.keys)}`
  }

  /** Mostly one of a kind, so that it can be found again; sometimes one that ties, or nothing at all. */
  #text(): string {
    if (this.#random() < 0.15) return pick(this.#random, ['', 'a', 'aa', 'b'])
    return `v${this.#value++}${'.'.repeat(below(this.#random, 40))}`
  }

  #dag(): { dagName?: string } {
    const dagName = pick(this.#random, this.#profile.dagNames)
    return dagName === '' ? {} : { dagName }
  }

  #operations(): Operation[] {
    return Array.from({ length: 1 + below(this.#random, 6) }, () =>
      this.#random() < 0.7 ? { put: this.#key(), value: this.#text() } : { delete: this.#key() }
    )
  }
}
