// All mutants, by what they break.
import type { Mutant } from './mutant.ts'
import { BOUND_MUTANTS } from './table/bounds.ts'
import { COMMIT_MUTANTS } from './table/commit.ts'
import { DAG_MUTANTS } from './table/dag.ts'
import { DIVIDE_MUTANTS } from './table/divide.ts'
import { LIBP2P_MUTANTS } from './table/libp2p.ts'
import { NETWORK_MUTANTS } from './table/network.ts'
import { READ_MUTANTS } from './table/reads.ts'
import { VALUE_MUTANTS } from './table/values.ts'

export const MUTANTS: readonly Mutant[] = [
  ...VALUE_MUTANTS,
  ...DAG_MUTANTS,
  ...COMMIT_MUTANTS,
  ...READ_MUTANTS,
  ...NETWORK_MUTANTS,
  ...LIBP2P_MUTANTS,
  ...DIVIDE_MUTANTS,
  ...BOUND_MUTANTS
]
