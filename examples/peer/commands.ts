/**
 * What can be typed at the peer, or piped to it.
 *
 * Invariants: a command is answered by one line, or where it may have more by lines of which the last begins with
 * `ok`; or else it throws, and the peer goes on.
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { CrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'
import { load } from './load.ts'
import type { PeerNode } from './node.ts'
import { parseValue, showKey, showValue, splitWord, UsageError } from './text.ts'

export interface Peer {
  libp2p: PeerNode
  store: CrdtDatastore
  topic: string
  /** Ends what is under way when the peer stops. */
  signal: AbortSignal
  print(line: string): void
  printError(line: string): void
}

interface Command {
  usage: string
  about: string
  run(peer: Peer, args: string): Promise<void>
}

/** Bad lines of a file that are reported; the others are only counted. */
const BAD_LINES_SHOWN = 20
const LOAD_BATCH_KEYS = 500

const COMMANDS: Record<string, Command> = {
  put: {
    usage: 'put KEY VALUE',
    about: 'writes a value: text, "a JSON string" or base64:...',
    async run({ store, print, signal }, args) {
      const [key, value] = splitWord(args)
      if (key === '' || value === '') throw usageOf('put')
      await store.put(new Key(key), parseValue(value), { signal })
      print('ok')
    }
  },
  get: {
    usage: 'get KEY',
    about: 'prints a value',
    async run({ store, print, signal }, args) {
      print(showValue(await store.get(keyOf('get', args), { signal })))
    }
  },
  delete: {
    usage: 'delete KEY',
    about: 'removes a key',
    async run({ store, print, signal }, args) {
      await store.delete(keyOf('delete', args), { signal })
      print('ok')
    }
  },
  list: {
    usage: 'list [PREFIX]',
    about: 'prints keys and values, a tab between them',
    async run({ store, print, signal }, args) {
      const [prefix] = splitWord(args)
      let count = 0
      for await (const { key, value } of store.query({ prefix }, { signal })) {
        print(`${showKey(key.toString())}\t${showValue(value)}`)
        count++
      }
      print(`ok ${count} keys`)
    }
  },
  load: {
    usage: 'load FILE [KEYS]',
    about: `loads lines of {"key": ..., "value": ...}, KEYS of them in a batch (${LOAD_BATCH_KEYS})`,
    run: loadFile
  },
  heads: {
    usage: 'heads',
    about: 'prints the newest nodes: id, priority, name of the DAG',
    async run({ store, print }) {
      for (const { cid, priority, dagName } of await store.heads()) {
        print(`${cid}\t${priority}\t${showKey(dagName)}`)
      }
      print('ok')
    }
  },
  stats: {
    usage: 'stats',
    about: 'prints what the store holds, and what it counted since its start',
    async run({ store, print }) {
      for (const [name, figure] of figuresOf(await store.stats())) print(`${name}\t${figure}`)
      print('ok')
    }
  },
  digest: {
    usage: 'digest',
    about: 'prints a digest: equal on peers that hold the same',
    async run({ store, print }) {
      print(await store.digest())
    }
  },
  sync: {
    usage: 'sync',
    about: 'waits until everything that was heard of is here',
    async run({ store, print, signal }) {
      await store.waitForSync({ signal })
      print('ok')
    }
  },
  peers: {
    usage: 'peers',
    about: 'prints connected peers: id, address, whether they share the topic',
    async run({ libp2p, topic, print }) {
      const subscribers = new Set(libp2p.services.pubsub.getSubscribers(topic).map(String))
      for (const { remotePeer, remoteAddr } of libp2p.getConnections()) {
        print(`${remotePeer}\t${remoteAddr}\t${subscribers.has(remotePeer.toString()) ? 'topic' : '-'}`)
      }
      print('ok')
    }
  },
  connect: {
    usage: 'connect ADDR',
    about: 'connects to a peer by its address',
    async run({ libp2p, print, signal }, args) {
      const [address] = splitWord(args)
      if (address === '') throw usageOf('connect')
      await libp2p.dial(multiaddr(address), { signal })
      print('ok')
    }
  },
  help: {
    usage: 'help',
    about: 'prints this',
    async run({ print }) {
      const width = Math.max(...Object.values(COMMANDS).map(({ usage }) => usage.length))
      for (const { usage, about } of Object.values(COMMANDS)) print(`${usage.padEnd(width)}  ${about}`)
      print('ok')
    }
  },
  quit: {
    usage: 'quit',
    about: 'stops the peer',
    async run() {
      // Whoever reads the lines reads no further.
    }
  }
}

/**
 * Runs one line.
 *
 * @returns whether it asks the peer to stop.
 * @throws UsageError, or what the store or the node throws.
 */
export async function runCommand(peer: Peer, line: string): Promise<boolean> {
  const [name, args] = splitWord(line)
  if (name === '') return false
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(`There is no command ${showKey(name)}; try help`)
  await command.run(peer, args)
  return name === 'quit'
}

async function loadFile({ store, print, printError, signal }: Peer, args: string): Promise<void> {
  const [file, count] = splitWord(args)
  const batchKeys = count === '' ? LOAD_BATCH_KEYS : Number(count)
  if (file === '' || !Number.isInteger(batchKeys) || batchKeys < 1) throw usageOf('load')
  const started = performance.now()
  let badLines = 0
  const loaded = await load(store, {
    ...{ file, batchKeys, signal },
    onProgress: (keys) => print(`loaded ${keys} keys`),
    onBadLine: (line, error) => {
      if (badLines++ < BAD_LINES_SHOWN) printError(`line ${line}: ${error.name}: ${error.message}`)
    }
  })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  print(`ok ${loaded.keys} keys, ${loaded.badLines} bad lines, ${seconds} s`)
}

/** Every figure with its name, those inside others as `outer.inner`. */
function* figuresOf(figures: object): Generator<[string, unknown]> {
  for (const [name, figure] of Object.entries(figures)) {
    if (typeof figure !== 'object' || figure === null) yield [name, figure]
    else for (const [inner, value] of figuresOf(figure)) yield [`${name}.${inner}`, value]
  }
}

function keyOf(command: string, args: string): Key {
  const [key, rest] = splitWord(args)
  if (key === '' || rest !== '') throw usageOf(command)
  return new Key(key)
}

function usageOf(command: string): UsageError {
  return new UsageError(`Usage: ${COMMANDS[command]?.usage}`)
}
