/**
 * A TCP proxy on the loopback whose network can be made slow, broken or dead while it runs, for tests with real
 * sockets where the kernel cannot be asked to do that. Node only.
 *
 * Invariants: it listens on the loopback and nowhere else; without faults it passes on every byte and every end as
 * they come; what waits in it is bounded for each connection, beyond which the sender is held back; after `close`
 * nothing of it runs.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { NO_FAULTS, type TcpFaults } from './tcp-faults.ts'
import { type TcpDirection, TcpLane } from './tcp-lane.ts'

export type { TcpFaults } from './tcp-faults.ts'

const LOOPBACK = '127.0.0.1'

/** Seen from whoever dials the proxy: `up` goes to the target, `down` comes back from it. */
export type TcpWay = 'up' | 'down'

/** What a proxy is made with. */
export interface TcpProxyInit {
  /** Where connections are passed on to. */
  target: {
    /**
     * An address of this machine.
     *
     * @default '127.0.0.1'
     */
    host?: string
    port: number
  }
  /**
   * What the jitter follows from.
   *
   * @default 1
   */
  seed?: number
  /**
   * Bytes that may wait in one direction of one connection before its sender is held back. Latency needs room for
   * what is on its way: a rate of 10 MB/s at 100 ms takes 1 MB.
   *
   * @default 1 MiB
   */
  queueBytesMax?: number
}

/** Bytes of TCP payload in one direction, of all connections so far. */
export interface TcpTraffic {
  /** Read from the senders. */
  bytesIn: number
  /** Written to the receivers. */
  bytesOut: number
  /** Dropped on the way. */
  bytesDropped: number
}

/** What passed so far. */
export interface TcpProxyStats {
  /** Connections that were taken, those that are gone included. */
  connections: number
  /** Connections that are there now. */
  open: number
  /** Connections that were refused. */
  refused: number
  up: TcpTraffic
  down: TcpTraffic
}

/** A running proxy. Made by `createTcpProxy`. */
export interface TcpProxy {
  /** Where to dial it. */
  readonly host: string
  readonly port: number
  readonly stats: TcpProxyStats
  /** Changes some faults, of one direction or of both, for what is on its way and for what comes. */
  set(faults: Partial<TcpFaults>, way?: TcpWay): void
  /**
   * Whether new connections are reset at once. Those that are there stay.
   *
   * @default false
   */
  refuse(isRefusing: boolean): void
  /**
   * Ends every connection that is there, towards both sides and whatever the faults are: with a RST, or with a FIN
   * after which nothing more passes.
   *
   * @returns how many there were.
   */
  cut(how?: 'rst' | 'fin'): number
  /** No more faults, and no more refusing. What was held back goes on; what was dropped is lost. */
  heal(): void
  /** Ends every connection, and the proxy. */
  close(): Promise<void>
}

/** Starts a proxy on a free port. */
export async function createTcpProxy(init: TcpProxyInit): Promise<TcpProxy> {
  const proxy = new LoopbackProxy(init)
  await proxy.listen()
  return proxy
}

/** A connection: a socket on either side, and a lane each way. */
interface Link {
  sockets: [inbound: Socket, outbound: Socket]
  lanes: Record<TcpWay, TcpLane>
}

class LoopbackProxy implements TcpProxy {
  readonly host = LOOPBACK
  readonly #init: TcpProxyInit
  readonly #server: Server
  readonly #links = new Set<Link>()
  readonly #ways: Record<TcpWay, TcpDirection> = { up: newDirection(), down: newDirection() }
  readonly #random: () => number
  #connections = 0
  #refused = 0
  #isRefusing = false

  constructor(init: TcpProxyInit) {
    this.#init = init
    this.#random = randomFrom(init.seed ?? 1)
    // Half-open, so that a FIN ends one direction only, as it does without a proxy.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket))
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get stats(): TcpProxyStats {
    return {
      connections: this.#connections,
      open: this.#links.size,
      refused: this.#refused,
      up: trafficOf(this.#ways.up),
      down: trafficOf(this.#ways.down)
    }
  }

  async listen(): Promise<void> {
    this.#server.listen(0, LOOPBACK)
    await once(this.#server, 'listening')
  }

  set(faults: Partial<TcpFaults>, way?: TcpWay): void {
    for (const each of way === undefined ? (['up', 'down'] as const) : [way]) {
      const direction = this.#ways[each]
      direction.faults = { ...direction.faults, ...faults }
      direction.freeAt = 0
      for (const { lanes } of this.#links) lanes[each].work()
    }
  }

  refuse(isRefusing: boolean): void {
    this.#isRefusing = isRefusing
  }

  cut(how: 'rst' | 'fin' = 'rst'): number {
    const links = [...this.#links]
    for (const link of links) {
      this.#forget(link)
      for (const socket of link.sockets) {
        if (how === 'rst') socket.resetAndDestroy()
        else socket.destroy()
      }
    }
    return links.length
  }

  heal(): void {
    this.refuse(false)
    this.set(NO_FAULTS)
  }

  async close(): Promise<void> {
    this.cut()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #accept(inbound: Socket): void {
    inbound.on('error', () => {})
    if (this.#isRefusing) {
      this.#refused++
      inbound.resetAndDestroy()
      return
    }
    this.#connections++
    const { host = LOOPBACK, port } = this.#init.target
    const outbound = connect({ host, port, allowHalfOpen: true, noDelay: true })
    const link: Link = {
      sockets: [inbound, outbound],
      lanes: { up: this.#lane('up', inbound, outbound), down: this.#lane('down', outbound, inbound) }
    }
    this.#links.add(link)
    let open = link.sockets.length
    for (const socket of link.sockets) {
      // A link is gone when both of its sockets are: until then one side may still believe in it.
      socket.on('close', () => {
        open--
        if (open === 0) this.#forget(link)
      })
    }
  }

  #lane(way: TcpWay, source: Socket, sink: Socket): TcpLane {
    const { queueBytesMax = 1024 * 1024 } = this.#init
    return new TcpLane({ source, sink, direction: this.#ways[way], queueBytesMax, random: this.#random })
  }

  #forget(link: Link): void {
    this.#links.delete(link)
    for (const lane of Object.values(link.lanes)) lane.stop()
  }
}

function newDirection(): TcpDirection {
  return { faults: NO_FAULTS, bytesIn: 0, bytesOut: 0, bytesDropped: 0, freeAt: 0 }
}

function trafficOf({ bytesIn, bytesOut, bytesDropped }: TcpDirection): TcpTraffic {
  return { bytesIn, bytesOut, bytesDropped }
}

/** Mulberry32: small, and good enough for jitter. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
