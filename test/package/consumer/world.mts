// What a user's test does: two replicas in a simulated world. It is checked by TypeScript and run by Node as it is. It
// prints one line at the end.
import { checkEqualsOracle, inWorld } from 'datastore-crdt/testkit'
import { Key } from 'interface-datastore'

const key = new Key('/greeting')

const shown = await inWorld({ seed: 1 }, async (world) => {
  const [alice, bob] = [await world.replica('alice'), await world.replica('bob', { kind: 'plain' })]
  world.partition(['alice'], ['bob'])
  await world.run(alice.store.put(key, new TextEncoder().encode('hello')))
  world.heal()
  await world.converge()
  await checkEqualsOracle(bob)
  return new TextDecoder().decode(await world.run(bob.store.get(key)))
})
console.log(shown)
