/**
 * `datastore-crdt/testkit`: a simulated world for tests of apps that replicate, and the checks that the store itself is
 * held to. For Node.js; nothing of it belongs into an app.
 */
export { CheckError } from './checkers/check-error.ts'
export { checkEqualsOracle } from './checkers/equals-oracle.ts'
export { type DatastoreKind, DiskError, SimulatedDatastore } from './disk/simulated-datastore.ts'
export { type DiskFaults, SimulatedDisk, type Write } from './disk/simulated-disk.ts'
export { GOOD_LINK, type LinkConditions } from './network/link.ts'
export {
  type GossipMessage,
  SimulatedNetwork,
  type SimulatedNetworkInit
} from './network/simulated-network.ts'
export { SimulatedConnection, SimulatedNode } from './network/simulated-node.ts'
export { SimulatedPubSub } from './network/simulated-pubsub.ts'
export { SimulatedStream } from './network/simulated-stream.ts'
export { type OracleState, oracle, type Version } from './oracle/oracle.ts'
export { below, pick, seededRandom, streamOf } from './seeded-random.ts'
export { type Life, SimulatedReplica, type SimulatedReplicaInit } from './simulated-replica.ts'
export { generateScript } from './simulation/generate.ts'
export { PROFILES, type Profile, type ProfileName } from './simulation/profiles.ts'
export type { RunReport } from './simulation/report.ts'
export { runScript } from './simulation/run.ts'
export {
  type Operation,
  printScript,
  type Script,
  type ScriptReplicas,
  type Step
} from './simulation/script.ts'
export { shrink } from './simulation/shrink.ts'
export { SimulationError } from './simulation/simulation-error.ts'
export { Trace } from './trace.ts'
export { ClockScope, VirtualClock, VirtualTimeoutError } from './virtual-clock.ts'
export { World, WorldError, type WorldInit } from './world.ts'
