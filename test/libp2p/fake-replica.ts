// The replica of the acceptance suite stands in for a real one here too.
export { LogReplica as FakeReplica } from '../../src/testkit/acceptance/log-replica.ts'
