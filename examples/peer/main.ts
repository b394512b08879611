/**
 * A peer to run: `npm start`. It keeps a store in a folder, replicates it with every peer of its topic, and takes
 * commands from a terminal or a pipe.
 *
 * Invariants: replies go to stdout, one line each, and errors to stderr; it ends with status 0 when it was asked to
 * (`quit`, Ctrl-D, SIGINT, SIGTERM), 1 when it could not start and 2 when its arguments are wrong; whatever it
 * opened is closed again, in reverse.
 */
import { once } from 'node:events'
import { createCrdtDatastore } from 'datastore-crdt'
import { type Peer, runCommand } from './commands.ts'
import { openFolder } from './folder.ts'
import { createNode } from './node.ts'
import { ArgumentError, type PeerOptions, parseOptions, USAGE } from './options.ts'
import { readPrompt } from './prompt.ts'
import { showKey } from './text.ts'

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const printError = (line: string): void => void process.stderr.write(`${line}\n`)
const printFailure = (error: Error): void => printError(`${error.name}: ${error.message}`)

const stopping = new AbortController()
const stop = (): void => stopping.abort()
const opened: Array<() => Promise<void>> = []

async function start(options: PeerOptions): Promise<Peer> {
  const { topic } = options
  const { datastore, privateKey } = await openFolder(options.data)
  opened.push(async () => await datastore.close())
  const libp2p = await createNode({
    ...options,
    privateKey,
    signal: stopping.signal,
    onUnreachable: (address, error) =>
      printError(`${error.name}: ${address} cannot be reached yet: ${error.message}`)
  })
  opened.push(async () => await libp2p.stop())
  const store = await createCrdtDatastore({ datastore, libp2p, topic })
  opened.push(async () => await store.close())
  if (options.watch) {
    store.addEventListener('change', ({ detail: { key, value, origin } }) => {
      if (origin === 'local') return
      print(`change\t${value === undefined ? 'delete' : 'put'}\t${showKey(key.toString())}`)
    })
  }
  print(`peer ${libp2p.peerId}`)
  for (const address of libp2p.getMultiaddrs()) print(`address ${address}`)
  print('ready; try help')
  return { libp2p, store, topic, signal: stopping.signal, print, printError }
}

async function run(options: PeerOptions): Promise<void> {
  process.once('SIGINT', stop).once('SIGTERM', stop)
  // Nobody reads the replies any more.
  process.stdout.on('error', stop)
  try {
    const peer = await start(options)
    const end = await readPrompt({
      signal: stopping.signal,
      run: (line) => runCommand(peer, line),
      onError: printFailure,
      onInterrupt: stop
    })
    // A peer whose input was a file or nothing at all goes on replicating; at a terminal, Ctrl-D means quit.
    if (end === 'end' && process.stdin.isTTY !== true && !stopping.signal.aborted) {
      printError('The input has ended and the peer goes on; SIGINT (Ctrl-C) or SIGTERM stops it')
      await once(stopping.signal, 'abort')
    }
  } finally {
    stop()
    for (const close of opened.reverse()) await close()
  }
}

let status = 0
try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) print(USAGE)
  else await run(options)
} catch (error) {
  printFailure(error as Error)
  if (error instanceof ArgumentError) printError('Try npm start -- --help')
  status = error instanceof ArgumentError ? 2 : 1
}
// Everything is closed. Timers that libp2p leaves behind would keep the process for another second.
process.stdout.write('', () => process.exit(status))
