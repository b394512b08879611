/**
 * Replicas that are level leave each other alone: nothing is said but what is due, and nothing is asked.
 */
import { defaultLimits } from '../../options.ts'
import type { World } from '../world.ts'
import { ensure } from './check-error.ts'

const CHECK = 'level replicas are quiet'
const INTERVALS = 10
/** The interval is longer or shorter by so much at most, by chance. */
const JITTER = 0.3
/** One for the greeting and one for the blocks. */
const STREAMS_OF_A_RETRY = 2

/**
 * Watches a world in which nothing happens.
 *
 * @throws CheckError
 */
export async function checkQuiet(world: World, rebroadcastIntervalMs: number): Promise<void> {
  const { network } = world
  // What was said last may still be on its way, and be answered.
  await world.advance(2 * rebroadcastIntervalMs)
  const [messages, opened] = [network.messages, network.opened]
  await world.advance(INTERVALS * rebroadcastIntervalMs)
  const said = network.messages - messages
  // Who is first spares the others it; two may begin before they can hear of each other.
  const due = Math.ceil(INTERVALS / (1 - JITTER)) * 2 * (await messagesOfHeads(world))
  ensure(said <= due, CHECK, () => `${said} messages in ${INTERVALS} intervals, and ${due} may be due`)
  const asked = network.opened - opened
  const allowed = (await haveGaps(world)) ? retriesDue(world, INTERVALS * rebroadcastIntervalMs) : 0
  ensure(asked <= allowed, CHECK, () => `${asked} streams were opened, and ${allowed} may be`)
}

/** A rebroadcast of very many heads, or of long names, needs more than one message. */
async function messagesOfHeads(world: World): Promise<number> {
  const [first] = world.running()
  let bytes = 0
  for (const { dagName } of (await first?.store.heads()) ?? []) bytes += 48 + 3 * dagName.length
  return Math.max(1, Math.ceil(bytes / (defaultLimits.broadcastBytesMax / 2)))
}

async function haveGaps(world: World): Promise<boolean> {
  for (const { store } of world.running()) if ((await store.stats()).gaps > 0) return true
  return false
}

/** A replica with a gap asks everybody for what is missing, once in every longest retry interval. */
function retriesDue(world: World, ms: number): number {
  const replicas = world.running().length
  const rounds = Math.ceil(ms / (defaultLimits.retryIntervalMsMax * (1 - JITTER)))
  return rounds * replicas * (replicas - 1) * STREAMS_OF_A_RETRY
}
