// The proxy that breaks real connections: each fault does what it says, to that direction and to nothing else.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { createTcpProxy, type TcpProxy, type TcpProxyInit } from '../../../src/testkit/tcp/tcp-proxy.ts'

const cleanUp: Array<() => unknown> = []

afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

/** One side of a connection: what came, and how it ended. */
class End {
  readonly socket: Socket
  readonly chunks: Buffer[] = []
  hasFin = false
  error: string | undefined
  closed = false

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk) => this.chunks.push(chunk))
    socket.on('end', () => {
      this.hasFin = true
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code
    })
    socket.on('close', () => {
      this.closed = true
    })
    cleanUp.push(() => socket.destroy())
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  get text(): string {
    return this.bytes.toString()
  }
}

const until = (condition: () => boolean): Promise<void> =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 1 })

/** A target that keeps every connection it gets, and a proxy to it. */
async function start(init: Partial<TcpProxyInit> = {}) {
  const accepted: End[] = []
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new End(socket)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUp.push(() => server.close())
  const proxy = await createTcpProxy({ target: { port: (server.address() as AddressInfo).port }, ...init })
  cleanUp.push(() => proxy.close())
  return { proxy, accepted, server }
}

async function dial(proxy: TcpProxy): Promise<End> {
  const end = new End(connect({ host: proxy.host, port: proxy.port, allowHalfOpen: true, noDelay: true }))
  await once(end.socket, 'connect')
  return end
}

/** Both ends of one connection through a proxy. */
async function pair(init: Partial<TcpProxyInit> = {}) {
  const { proxy, accepted } = await start(init)
  const near = await dial(proxy)
  await until(() => accepted.length === 1)
  return { proxy, accepted, near, far: accepted[0]! }
}

/** Something that has passed since by the same way, so that whatever was sent before it has passed or never will. */
async function passes(from: End, to: End, text: string): Promise<void> {
  from.socket.write(text)
  await until(() => to.text.endsWith(text))
}

test('without faults everything passes as it came, both ways, and is counted', async () => {
  const { proxy, near, far } = await pair()
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251))
  near.socket.write(bytes)
  far.socket.write('hello')
  await until(() => far.bytes.length === bytes.length && near.text === 'hello')
  expect(far.bytes.equals(bytes)).toBe(true)
  expect(proxy.stats).toEqual({
    ...{ connections: 1, open: 1, refused: 0 },
    up: { bytesIn: bytes.length, bytesOut: bytes.length, bytesDropped: 0 },
    down: { bytesIn: 5, bytesOut: 5, bytesDropped: 0 }
  })
})

test('a FIN ends one direction after the last byte, and the other goes on', async () => {
  const { proxy, near, far } = await pair()
  near.socket.end('last words')
  await until(() => far.hasFin)
  expect(far.text).toBe('last words')
  await passes(far, near, 'an answer to that')
  expect(near.hasFin).toBe(false)
  far.socket.end()
  await until(() => near.hasFin && proxy.stats.open === 0)
})

test('a RST is passed on', async () => {
  const { near, far } = await pair()
  await passes(near, far, 'hello')
  near.socket.resetAndDestroy()
  await until(() => far.closed)
  expect(far.error).toBe('ECONNRESET')
})

test('a RST of a side that had said its FIN is passed on when something is sent to it', async () => {
  const { near, far } = await pair()
  near.socket.end()
  await until(() => far.hasFin)
  near.socket.resetAndDestroy()
  // Node looks for nothing more from a socket that said its FIN, until it is written to.
  await until(() => {
    far.socket.write('hello?')
    return far.closed
  })
  expect(far.error).toMatch(/ECONNRESET|EPIPE/)
})

test('a target that is not there resets the connection', async () => {
  const { proxy, server } = await start()
  server.close()
  const near = await dial(proxy)
  await until(() => near.closed)
  expect(proxy.stats.open).toBe(0)
})

test('latency delays every byte, in one direction only, and holds up no byte behind another', async () => {
  const { proxy, near, far } = await pair()
  proxy.set({ latencyMs: 150 }, 'up')
  const startedAt = performance.now()
  near.socket.write('a')
  await passes(far, near, 'not delayed')
  expect(performance.now() - startedAt).toBeLessThan(150)
  await passes(near, far, 'b')
  const tookMs = performance.now() - startedAt
  expect(tookMs).toBeGreaterThanOrEqual(149)
  // One after the other they would have taken twice as long.
  expect(tookMs).toBeLessThan(300)
  expect(far.text).toBe('ab')
})

test('a FIN is delayed like bytes', async () => {
  const { proxy, near, far } = await pair()
  proxy.set({ latencyMs: 60 })
  const startedAt = performance.now()
  near.socket.end('x')
  await until(() => far.hasFin)
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(59)
  expect(far.text).toBe('x')
})

test('jitter never turns bytes round', async () => {
  const { proxy, near, far } = await pair({ seed: 7 })
  proxy.set({ jitterMs: 20 })
  let sent = ''
  for (let index = 0; index < 50; index++) {
    sent += `${index} `
    near.socket.write(`${index} `)
    await new Promise(setImmediate)
  }
  await until(() => far.text.length === sent.length)
  expect(far.text).toBe(sent)
})

test('a bandwidth is shared by all connections of its direction', async () => {
  const { proxy, accepted } = await start()
  proxy.set({ bytesPerSecond: 100_000 }, 'up')
  const nears = [await dial(proxy), await dial(proxy)]
  await until(() => accepted.length === 2)
  const startedAt = performance.now()
  for (const near of nears) near.socket.write(Buffer.alloc(10_000))
  await until(() => accepted.every((far) => far.bytes.length === 10_000))
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(180)
  await passes(accepted[0]!, nears[0]!, 'the way back is free')
})

test('slices are written one by one', async () => {
  const { proxy, near, far } = await pair()
  proxy.set({ sliceBytes: 1 })
  const text = 'one byte at a time'.repeat(20)
  near.socket.write(text)
  await until(() => far.text === text)
  expect(far.chunks.length).toBeGreaterThan(1)
  expect(proxy.stats.up.bytesOut).toBe(text.length)
})

test('a stall holds bytes and ends back, and lets them go on', async () => {
  const { proxy, near, far } = await pair()
  proxy.set({ stalled: true }, 'up')
  near.socket.end('held back')
  await until(() => proxy.stats.up.bytesIn === 9)
  await passes(far, near, 'the other way')
  expect({ text: far.text, hasFin: far.hasFin, open: proxy.stats.open }).toEqual({
    ...{ text: '', hasFin: false, open: 1 }
  })
  proxy.heal()
  await until(() => far.hasFin)
  expect(far.text).toBe('held back')
})

test('a sender is held back while too much waits, and nothing of it is lost', async () => {
  const { proxy, near, far } = await pair({ queueBytesMax: 64 * 1024 })
  proxy.set({ stalled: true })
  const bytes = 64 * 1024 * 1024
  near.socket.write(Buffer.alloc(bytes, 1))
  await until(() => proxy.stats.up.bytesIn > 64 * 1024)
  // Whatever the proxy does not take stays with the sender; the other direction shows that it goes on working.
  proxy.set({ stalled: false }, 'down')
  for (let turn = 0; turn < 20; turn++) await passes(far, near, `turn ${turn}`)
  expect(proxy.stats.up.bytesIn).toBeLessThan(1024 * 1024)
  proxy.heal()
  await until(() => far.chunks.reduce((sum, { length }) => sum + length, 0) === bytes)
})

test('what is dropped is gone, and a connection that lost bytes stays dead that way', async () => {
  const { proxy, accepted, near, far } = await pair()
  proxy.set({ dropped: true }, 'up')
  near.socket.write('lost')
  await until(() => proxy.stats.up.bytesDropped === 4)
  await passes(far, near, 'the other way is alive')
  proxy.heal()
  near.socket.end('after the hole')
  await until(() => proxy.stats.up.bytesDropped === 18)
  await passes(far, near, 'still alive')
  expect({ text: far.text, hasFin: far.hasFin }).toEqual({ text: '', hasFin: false })
  // A new one is as good as new.
  const next = await dial(proxy)
  await until(() => accepted.length === 2)
  await passes(next, accepted[1]!, 'arrives')
})

test.each([
  ['FIN', (end: End) => end.socket.end('bye')],
  ['RST', (end: End) => end.socket.resetAndDestroy()]
])('a %s that is withheld is not noticed until it is let go', async (_name, leave) => {
  const { proxy, near, far } = await pair()
  await passes(near, far, 'hello')
  proxy.set({ withholdsEnd: true }, 'up')
  leave(near)
  await until(() => near.socket.writableFinished || near.closed)
  for (let turn = 0; turn < 20; turn++) far.socket.write('is anybody there?')
  expect({ hasFin: far.hasFin, closed: far.closed, open: proxy.stats.open }).toEqual({
    ...{ hasFin: false, closed: false, open: 1 }
  })
  proxy.heal()
  await until(() => far.hasFin || far.closed)
})

test('a cut ends what is there on both sides, and new connections are taken', async () => {
  const { proxy, accepted, near, far } = await pair()
  proxy.set({ stalled: true })
  near.socket.write('under way')
  await until(() => proxy.stats.up.bytesIn > 0)
  expect(proxy.cut()).toBe(1)
  await until(() => near.closed && far.closed)
  expect([near.error, far.error]).toEqual(['ECONNRESET', 'ECONNRESET'])
  expect(proxy.stats.open).toBe(0)
  proxy.heal()
  const next = await dial(proxy)
  await until(() => accepted.length === 2)
  await passes(next, accepted[1]!, 'hello again')
})

test('a cut with a FIN looks like an orderly end', async () => {
  const { proxy, near, far } = await pair()
  await passes(near, far, 'hello')
  expect(proxy.cut('fin')).toBe(1)
  await until(() => near.hasFin && far.hasFin)
  expect([near.error, far.error]).toEqual([undefined, undefined])
})

test('new connections are refused, and those that are there go on', async () => {
  const { proxy, accepted, near, far } = await pair()
  proxy.refuse(true)
  const refused = new End(connect(proxy.port, proxy.host))
  await until(() => refused.closed)
  expect(refused.error).toBe('ECONNRESET')
  await passes(near, far, 'still here')
  expect(proxy.stats).toMatchObject({ connections: 1, refused: 1, open: 1 })
  proxy.heal()
  const next = await dial(proxy)
  await until(() => accepted.length === 2)
  await passes(next, accepted[1]!, 'welcome')
})

test('close ends every connection, also one that is stalled, and the port', async () => {
  const { proxy, near, far } = await pair()
  proxy.set({ stalled: true, latencyMs: 1000 })
  near.socket.write('never arrives')
  await until(() => proxy.stats.up.bytesIn > 0)
  const { port } = proxy
  await proxy.close()
  await until(() => near.closed && far.closed)
  const late = new End(connect(port, '127.0.0.1'))
  await until(() => late.closed)
  expect(late.error).toBe('ECONNREFUSED')
  await proxy.close()
})
