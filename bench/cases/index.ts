/**
 * Every benchmark, in the order in which they run.
 */
import type { Benchmark } from '../benchmark.ts'
import { batch } from './batch.ts'
import { bitswap } from './bitswap.ts'
import { catchUp } from './catch-up.ts'
import { ceilings } from './ceilings.ts'
import { deleteVersions } from './delete-versions.ts'
import { disk } from './disk.ts'
import { divided } from './divided.ts'
import { follow } from './follow.ts'
import { get } from './get.ts'
import { idle } from './idle.ts'
import { latency } from './latency.ts'
import { meet } from './meet.ts'
import { memory } from './memory.ts'
import { open } from './open.ts'
import { partition } from './partition.ts'
import { put } from './put.ts'
import { putConcurrent } from './put-concurrent.ts'
import { query } from './query.ts'
import { roundTrips } from './round-trips.ts'

export const benchmarks: readonly Benchmark[] = [
  ceilings,
  put,
  putConcurrent,
  batch,
  deleteVersions,
  get,
  query,
  open,
  disk,
  catchUp,
  roundTrips,
  divided,
  latency,
  follow,
  meet,
  partition,
  bitswap,
  idle,
  memory
]
