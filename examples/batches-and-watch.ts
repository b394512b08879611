/**
 * Writing several keys as one, and following what changes: an index that is kept up to date by a watch, and goes on
 * where it was when it is started again. One store without a network; with one, nothing of this is different.
 */
import { MemoryDatastore } from 'datastore-core'
import { type Change, createCrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'

const bytes = (text: string) => new TextEncoder().encode(text)
const text = (value: Uint8Array) => new TextDecoder().decode(value)

// Without `libp2p` the store is offline. What is written is sent when it is opened with one.
const store = await createCrdtDatastore({ datastore: new MemoryDatastore() })

function show({ key, value, previous, sequence }: Change): void {
  const before = previous === undefined ? '' : `, was ${text(previous)}`
  console.log(`#${sequence} ${key} is ${value === undefined ? 'gone' : text(value)}${before}`)
}

// A watch begins with the call. A prefix is compared with the text of the key: the slash at its end keeps out
// /orders-of-last-year.
const watching = store.watch({ prefix: '/orders/' })

// A batch is one commit, which nobody sees before it is made. Up to 1 MiB it is one for every other peer as well.
const order = store.batch()
order.put(new Key('/orders/1/item'), bytes('tea'))
order.put(new Key('/orders/1/count'), bytes('2'))
order.put(new Key('/stock/tea'), bytes('98'))
console.log(`Before the commit: ${await store.has(new Key('/orders/1/item'))}`)
await order.commit()
console.log(`After the commit: ${await store.has(new Key('/orders/1/item'))}`)

// Puts and deletes may be mixed.
const update = store.batch()
update.put(new Key('/orders/1/item'), bytes('coffee'))
update.delete(new Key('/orders/1/count'))
await update.commit()

// A real program lets this loop run beside everything else, for as long as the store does. This one stops after the
// two changes of each batch. What it keeps, beside its index, is the number of the node that it handled last.
let handled = 0
let count = 0
for await (const change of watching) {
  show(change)
  handled = change.sequence
  if (++count === 4) break
}

// While nobody watches, more is written.
await store.put(new Key('/orders/2/item'), bytes('milk'))
await store.put(new Key('/orders/2/item'), bytes('oat milk'))

// `since` begins behind that number. What was missed is read from the log: each key as it is now, so that the milk,
// which was written over, is left out, and what was before is not known. If your program can be stopped between two
// changes of one node, keep the number before that node's, and expect to handle some of its changes twice.
for await (const change of store.watch({ prefix: '/orders/', since: handled })) {
  show(change)
  break
}
await store.close()
