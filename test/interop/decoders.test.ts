// Our decoders of what Go reads too, against protobuf-go itself: the same messages, the same refusals.
import { expect, test } from 'vitest'
import { digestFromBlockId } from '../../src/codec/block-id.ts'
import { decodeBroadcast, InvalidBroadcastError } from '../../src/codec/broadcast.ts'
import { decodeDelta, type WireDelta } from '../../src/codec/delta.ts'
import { WireError } from '../../src/codec/wire-reader.ts'
import { Chance } from '../fuzz/chance.ts'
import { mutate } from '../fuzz/mutator.ts'
import type { Target } from '../fuzz/target.ts'
import { broadcastTarget } from '../fuzz/targets/broadcast.ts'
import { deltaTarget } from '../fuzz/targets/delta.ts'
import { describeEachBuild } from './builds.ts'
import type { GoDecoded, GoElement } from './go-messages.ts'
import { base64, GoPeer } from './go-peer.ts'

const SEED = Number(process.env.INTEROP_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Of each kind. */
const INPUTS = Number(process.env.INTEROP_INPUTS ?? 3000)

/** Half of them made of plausible parts, half of them known messages with changes. */
function inputsOf(target: Target): Uint8Array[] {
  const seeds = target.seeds()
  return Array.from({ length: INPUTS }, (_, index) => {
    const chance = new Chance(`${target.name}:${SEED}:${index}`)
    return index % 2 === 0 ? target.generate(chance) : mutate(chance.pick(seeds), chance, seeds)
  })
}

const plain = (given: GoElement[] | undefined): string[] =>
  (given ?? []).map(({ key, id, value }) => [key ?? '', id ?? '', value ?? ''].join(' '))

const ours = (given: WireDelta['elements']): string[] =>
  given.map(({ key, id, value }) => [base64(key), base64(id), base64(value)].join(' '))

/** What our decoder makes of a delta against what Go does, or undefined where Go's build cannot tell. */
function compareDeltas(input: Uint8Array, go: GoDecoded): { found: unknown; expected: unknown } | undefined {
  let found: WireDelta | undefined
  try {
    found = decodeDelta(input)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
  }
  // The release knows no names, and Go of no build our extension: either may refuse what the other does not read.
  if (go.named || (go.extended && found === undefined)) return undefined
  if (found === undefined || go.error) return { found: found === undefined, expected: go.error }
  return {
    found: [ours(found.elements), ours(found.tombstones), `${found.priority}`, base64(found.dagName)],
    expected: [plain(go.elements), plain(go.tombstones), go.priority, go.dagName ?? '']
  }
}

const hashOf = (id: string): string => base64(Uint8Array.from([0x12, 32, ...digestFromBlockId(id)]))

/** The same of a broadcast, of which we hear more than Go does: one bad head, or a field beside heads, loses none. */
function compareBroadcasts(
  input: Uint8Array,
  go: GoDecoded
): { found: unknown; expected: unknown } | undefined {
  let found: ReturnType<typeof decodeBroadcast> | undefined
  try {
    found = decodeBroadcast(input)
  } catch (error) {
    if (!(error instanceof InvalidBroadcastError)) throw error
  }
  if (go.named || go.error) return undefined
  if (go.unknown && go.heads === undefined) {
    const legacy = go.legacy === undefined ? undefined : [go.legacy]
    return legacy === undefined
      ? undefined
      : { found: found?.heads.map(({ id }) => hashOf(id)), expected: legacy }
  }
  const nodes = (go.heads ?? []).filter(({ value }) => value !== null)
  return {
    found: (found?.heads ?? []).map(({ id, dagName }) => `${hashOf(id)} ${base64(dagName)}`),
    expected: nodes.map(({ value, id }) => `${value} ${id ?? ''}`)
  }
}

describeEachBuild('our decoders and protobuf-go', (program) => {
  test.each([
    ['delta', deltaTarget, compareDeltas],
    ['broadcast', broadcastTarget, compareBroadcasts]
  ] as const)('make the same of a %s', async (kind, target, compare) => {
    const go = await GoPeer.start({ program, name: 'decoder', topic: 'none' })
    try {
      const inputs = inputsOf(target)
      const decoded = await go.call('decode', { kind, inputs: inputs.map(base64) })
      let compared = 0
      let valid = 0
      for (const [index, input] of inputs.entries()) {
        const name = `${target.name}:${SEED}:${index} ${Buffer.from(input).toString('hex')}`
        const both = compare(input, decoded[index]!)
        if (both === undefined) continue
        compared++
        if (!decoded[index]!.error) valid++
        if (JSON.stringify(both.found) !== JSON.stringify(both.expected))
          expect(both.found, name).toEqual(both.expected)
      }
      // Neither all of them refused nor most of them left out.
      expect(compared).toBeGreaterThan(INPUTS / 4)
      expect(valid).toBeGreaterThan(INPUTS / 20)
      console.info(
        `interop: ${compared} of ${INPUTS} inputs compared as ${kind}, ${valid} of them valid; seed ${SEED}`
      )
    } finally {
      await go.close()
    }
  })
})
