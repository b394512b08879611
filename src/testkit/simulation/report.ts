/** What a run was about, in numbers. */
export interface RunReport {
  seed: number
  profile: string
  /** Writes that were asked for, and those that were acknowledged. */
  operations: number
  acknowledged: number
  /** Steps that did harm, and processes that were killed by a step. */
  faults: number
  /** Deeds of peers that are not honest. */
  harms: number
  crashes: number
  /** Gossip, and all that went over links. */
  messages: number
  bytes: number
  /** Nodes of the DAG at the end. */
  nodes: number
  virtualMs: number
  /** Equal for two runs that did the same. */
  trace: string
}
