/**
 * Every benchmark, in the order in which they run.
 */
import type { Benchmark } from '../benchmark.ts'
import { batch } from './batch.ts'
import { catchUp } from './catch-up.ts'
import { deleteVersions } from './delete-versions.ts'
import { follow } from './follow.ts'
import { get } from './get.ts'
import { latency } from './latency.ts'
import { meet } from './meet.ts'
import { partition } from './partition.ts'
import { put } from './put.ts'
import { putConcurrent } from './put-concurrent.ts'
import { query } from './query.ts'

export const benchmarks: readonly Benchmark[] = [
  put,
  putConcurrent,
  batch,
  deleteVersions,
  get,
  query,
  catchUp,
  latency,
  follow,
  meet,
  partition
]
