/**
 * `datastore-crdt/testkit`: a simulated world for tests of apps that replicate, the oracle that the store itself is held
 * to, acceptance suites for what can be put below or beside a store, and a TCP proxy that breaks the connections of real
 * peers. For Node.js and for tests: nothing of it belongs into an app.
 */
export { testBlockExchange } from './acceptance/block-exchange.ts'
export { type BroadcasterGroup, testBroadcaster } from './acceptance/broadcaster.ts'
export { testDatastore } from './acceptance/datastore.ts'
export type { DatastoreUnderTest } from './acceptance/datastore-rows.ts'
export type { ExchangeGroup } from './acceptance/exchange-group.ts'
export type { TestRunner, Until } from './acceptance/runner.ts'
export { CheckError } from './checkers/check-error.ts'
export { checkEqualsOracle } from './checkers/equals-oracle.ts'
export { type DatastoreKind, DiskError } from './disk/simulated-datastore.ts'
export { type DiskFaults, SimulatedDisk, type Write } from './disk/simulated-disk.ts'
export { inWorld } from './in-world.ts'
export { GOOD_LINK, type LinkConditions } from './network/link.ts'
export { type OracleState, oracle, type Version } from './oracle/oracle.ts'
export { below, pick, seededRandom, streamOf } from './seeded-random.ts'
export { type Life, SimulatedReplica, type SimulatedReplicaInit } from './simulated-replica.ts'
export {
  createTcpProxy,
  type TcpFaults,
  type TcpProxy,
  type TcpProxyInit,
  type TcpProxyStats,
  type TcpTraffic,
  type TcpWay
} from './tcp/tcp-proxy.ts'
export { Trace } from './trace.ts'
export { ClockScope, VirtualClock, VirtualTimeoutError } from './virtual-clock.ts'
export { World, WorldError, type WorldInit } from './world.ts'
