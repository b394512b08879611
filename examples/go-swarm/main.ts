/**
 * A TypeScript peer in the swarm of go-ds-crdt's own example, `globaldb`: `node examples/go-swarm/main.ts FOLDER`. It
 * ends with its input, or with `quit`.
 *
 * Start `globaldb` (go-ds-crdt/examples/globaldb), and `connect` to the address that it prints, or give it this one's by
 * its own `connect`. What is put at either shows at the other.
 */
import { createInterface } from 'node:readline'
import { multiaddr } from '@multiformats/multiaddr'
import { Key } from 'interface-datastore'
import { openPeer } from './peer.ts'

/** As globaldb has it. */
const TOPIC = 'globaldb-example'
/** On this topic globaldb's peers greet each other, and hold on to whom they hear there. */
const GREETING_TOPIC = 'globaldb-example-net'
const GREETING_INTERVAL_MS = 20_000

const HELP = 'put KEY VALUE | get KEY | delete KEY | list | connect ADDRESS | quit'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Name a folder: node examples/go-swarm/main.ts FOLDER')
const { libp2p, store, close } = await openPeer(folder, TOPIC)

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
// Others may have put anything, also what would control a terminal.
const text = (value: Uint8Array): string => new TextDecoder().decode(value).replace(/\p{Cc}/gu, ' ')

store.addEventListener('change', ({ detail: { key, value } }) => {
  console.log(value === undefined ? `Removed: [${key}]` : `Added: [${key}] -> ${text(value)}`)
})

const { pubsub } = libp2p.services
pubsub.subscribe(GREETING_TOPIC)
const greet = (): void => {
  // Nobody may be there to hear it.
  pubsub.publish(GREETING_TOPIC, bytes('hi!')).catch(() => {})
}
const greeting = setInterval(greet, GREETING_INTERVAL_MS)

async function run(command: string, [name = '', ...rest]: string[]): Promise<void> {
  if (command === 'put') await store.put(new Key(name), bytes(rest.join(' ')))
  else if (command === 'get') console.log(`[${new Key(name)}] -> ${text(await store.get(new Key(name)))}`)
  else if (command === 'delete') await store.delete(new Key(name))
  else if (command === 'connect') await libp2p.dial(multiaddr(name))
  else if (command === 'list') {
    for await (const { key, value } of store.query({})) console.log(`[${key}] -> ${text(value)}`)
    console.log('ok')
  } else console.log(HELP)
}

console.log(`Others can connect to ${libp2p.getMultiaddrs()[0]}`)
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', ...words] = line.trim().split(/\s+/)
  if (command === 'quit') break
  try {
    await run(command, words)
  } catch (error) {
    console.error(String(error))
  }
}
// An input that may still bring something would keep the process.
process.stdin.destroy()
clearInterval(greeting)
await close()
