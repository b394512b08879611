// The peer of `npm start` as a script sees it: piped lines in, lines and errors out, exit statuses.
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { ensureBuilt } from './build.ts'
import { deleteFolders, temporaryFolder } from './folders.ts'
import { killAll, PeerProcess } from './peer-process.ts'

beforeAll(ensureBuilt)
afterEach(async () => {
  await killAll()
  await deleteFolders()
})

test('every command answers by lines that a script can read', async () => {
  const peer = await PeerProcess.start(await temporaryFolder())
  expect(peer.address).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+/p2p/${peer.id}$`))

  expect(await peer.run('put /a 1')).toEqual(['ok'])
  expect(await peer.run('put b  two words ')).toEqual(['ok'])
  expect(await peer.run('put "/a key" "two\\nlines"')).toEqual(['ok'])
  expect(await peer.run('put /bytes base64:AP8=')).toEqual(['ok'])
  expect(await peer.run('put /empty ""')).toEqual(['ok'])
  expect(await peer.run('get /a')).toEqual(['1'])
  expect(await peer.run('get /b')).toEqual(['two words'])
  expect(await peer.run('get "/a key"')).toEqual(['"two\\nlines"'])
  expect(await peer.run('get /bytes')).toEqual(['base64:AP8='])
  expect(await peer.run('get /empty')).toEqual(['""'])
  expect((await peer.run('list')).sort()).toEqual(
    [
      '/a\t1',
      '/b\ttwo words',
      '"/a key"\t"two\\nlines"',
      '/bytes\tbase64:AP8=',
      '/empty\t""',
      'ok 5 keys'
    ].sort()
  )
  expect((await peer.run('list /b')).sort()).toEqual(['/b\ttwo words', '/bytes\tbase64:AP8=', 'ok 2 keys'])

  expect(await peer.run('delete /a')).toEqual(['ok'])
  expect(await peer.run('delete /a')).toEqual(['ok'])
  await expect(peer.run('get /a')).rejects.toThrow('NotFoundError: There is no value under /a')

  const heads = await peer.run('heads')
  expect(heads).toEqual([expect.stringMatching(/^bafy\w+\t6\t""$/), 'ok'])
  expect(await peer.stats()).toMatchObject({
    keys: 4,
    nodes: 6,
    heads: 1,
    clock: 6,
    'counters.remoteNodes': 0
  })
  expect(await peer.ask('digest')).toMatch(/^[0-9a-f]{64}$/)
  expect(await peer.run('sync')).toEqual(['ok'])
  expect(await peer.run('peers')).toEqual(['ok'])
  const help = (await peer.run('help')).join('\n')
  for (const name of 'put get delete list load heads stats digest sync peers connect help quit'.split(' ')) {
    expect(help).toMatch(new RegExp(`^${name}\\b`, 'm'))
  }
})

test('what cannot be done is said by name on stderr, and the peer goes on', async () => {
  const peer = await PeerProcess.start(await temporaryFolder())
  await expect(peer.run('shout')).rejects.toThrow('UsageError: There is no command shout; try help')
  await expect(peer.run('constructor')).rejects.toThrow('UsageError')
  await expect(peer.run('put /a')).rejects.toThrow('UsageError: Usage: put KEY VALUE')
  await expect(peer.run('put /a "open')).rejects.toThrow('UsageError')
  await expect(peer.run('put /a base64:?')).rejects.toThrow('UsageError')
  await expect(peer.run('put / 1')).rejects.toThrow('InvalidKeyError')
  await expect(peer.run('get')).rejects.toThrow('UsageError: Usage: get KEY')
  await expect(peer.run('connect nowhere')).rejects.toThrow('InvalidMultiaddrError')
  await expect(peer.run('connect /ip4/127.0.0.1/tcp/1')).rejects.toThrow('Error: ')
  await expect(peer.run('load')).rejects.toThrow('UsageError: Usage: load FILE')
  await expect(peer.run('load /no/such/file')).rejects.toThrow('ENOENT')
  expect(await peer.run('put /a 1')).toEqual(['ok'])
})

test('a file is loaded in batches, and its bad lines are reported by their number and left out', async () => {
  const folder = await temporaryFolder()
  const peer = await PeerProcess.start(join(folder, 'data'))
  const file = join(folder, 'my entries.ndjson')
  const good = Array.from({ length: 1200 }, (_, index) =>
    JSON.stringify({ key: `/k/${index}`, value: `${index}` })
  )
  const lines = [
    ...good,
    'no JSON',
    '{"key": "/no/value"}',
    '',
    '{"key": "/", "value": "the root"}',
    '{"value": "no key"}',
    '{"key": "/bytes", "value": {"base64": "AP8="}}',
    'null',
    '{"key": "/last", "value": "no line break after it"}'
  ]
  await writeFile(file, lines.join('\n'))
  const reply = await peer.ask(`load ${JSON.stringify(file)}`)
  expect(reply).toMatch(/^ok 1202 keys, 5 bad lines, /)
  expect(peer.errors.map((line) => line.split(':', 1)[0])).toEqual(
    [1201, 1202, 1204, 1205, 1207].map((line) => `line ${line}`)
  )
  expect(await peer.stats()).toMatchObject({ keys: 1202, nodes: 3 })
  expect(await peer.ask('get /k/1199')).toBe('1199')
  expect(await peer.ask('get /bytes')).toBe('base64:AP8=')
  expect(await peer.ask('get /last')).toBe('no line break after it')

  expect(await peer.ask(`load ${JSON.stringify(file)} 1`)).toMatch(/^ok 1202 keys/)
  expect(await peer.stats()).toMatchObject({ keys: 1202, nodes: 1205 })
})

test('the identity and the data are there after a restart, and only the owner can read the key', async () => {
  const data = await temporaryFolder()
  const peer = await PeerProcess.start(data)
  await peer.run('put /a 1')
  const digest = await peer.ask('digest')
  expect(await peer.quit()).toBe(0)
  if (process.platform !== 'win32') {
    expect((await stat(join(data, 'identity.key'))).mode & 0o777).toBe(0o600)
  }
  const again = await PeerProcess.start(data)
  expect(again.id).toBe(peer.id)
  expect(await again.ask('get /a')).toBe('1')
  expect(await again.ask('digest')).toBe(digest)
})

test('a folder that another peer has open is refused with the reason, and status 1', async () => {
  const data = await temporaryFolder()
  await PeerProcess.start(data)
  const second = new PeerProcess(['--data', data, '--no-mdns'])
  expect(await second.exit()).toBe(1)
  expect(second.errors).toEqual([expect.stringMatching(/^DatastoreLockedError: .*another process/)])
  expect(second.output).toEqual([])
})

test('wrong arguments are refused with status 2', async () => {
  const peer = new PeerProcess(['--peer', 'nowhere'])
  expect(await peer.exit()).toBe(2)
  expect(peer.errors).toEqual([expect.stringMatching(/^ArgumentError: --peer /), 'Try npm start -- --help'])
  expect(peer.output).toEqual([])
})

test('--help prints the options', async () => {
  const peer = new PeerProcess(['--help'])
  expect(await peer.exit()).toBe(0)
  expect(peer.output.join('\n')).toContain('--data DIR')
})

test('piped lines run in order, and quit ends the peer after them', async () => {
  const peer = new PeerProcess(['--data', await temporaryFolder(), '--no-mdns'])
  peer.pipe(['put /a 1', 'get /a', 'put /a 2', 'get /a', 'quit', 'put /a 3'], { end: true })
  expect(await peer.exit()).toBe(0)
  expect(peer.output.slice(-4)).toEqual(['ok', '1', 'ok', '2'])
})

test('the peer goes on when its input has ended, until SIGTERM', async () => {
  const peer = new PeerProcess(['--data', await temporaryFolder(), '--no-mdns'])
  peer.pipe(['put /a 1'], { end: true })
  await peer.until(() => peer.errors.some((line) => line.startsWith('The input has ended')))
  expect(await peer.kill('SIGTERM')).toBe(0)
})

test('two processes replicate both ways, and tell of the changes', async () => {
  const [aliceData, bobData] = [await temporaryFolder(), await temporaryFolder()]
  const alice = await PeerProcess.start(aliceData)
  const bob = await PeerProcess.start(bobData, ['--peer', alice.address])
  await alice.run('put /from/alice 1')
  await bob.until(() => bob.changes.includes('put /from/alice'))
  await bob.run('put /from/bob 2')
  await alice.until(() => alice.changes.includes('put /from/bob'))
  expect(await bob.ask('get /from/alice')).toBe('1')
  expect(await alice.ask('get /from/bob')).toBe('2')
  await alice.run('delete /from/bob')
  await bob.until(() => bob.changes.includes('delete /from/bob'))
  expect(await alice.ask('digest')).toBe(await bob.ask('digest'))
  expect(await bob.run('peers')).toEqual([`${alice.id}\t${alice.address}\ttopic`, 'ok'])
  // Own writes are no news.
  expect(alice.changes).toEqual(['put /from/bob'])
  expect(await Promise.all([alice.kill('SIGINT'), bob.quit()])).toEqual([0, 0])
})

test('a peer that was named is connected to as soon as it is there, and again after it was gone', async () => {
  const [aliceData, bobData] = [await temporaryFolder(), await temporaryFolder()]
  const first = await PeerProcess.start(aliceData)
  const { address } = first
  await first.run('put /first 1')
  expect(await first.quit()).toBe(0)
  const bob = await PeerProcess.start(bobData, ['--peer', address])
  await bob.until(() => bob.errors.some((line) => line.includes('cannot be reached yet')))
  const listen = ['--listen', address.slice(0, address.indexOf('/p2p/'))]
  const second = await PeerProcess.start(aliceData, listen)
  await bob.until(() => bob.changes.includes('put /first'))
  await second.kill('SIGKILL')
  const third = await PeerProcess.start(aliceData, listen)
  await third.run('put /third 3')
  await bob.until(() => bob.changes.includes('put /third'))
})

test('connect reaches a peer by its address, and peers of other topics share nothing', async () => {
  const alice = await PeerProcess.start(await temporaryFolder())
  const bob = await PeerProcess.start(await temporaryFolder())
  const carol = await PeerProcess.start(await temporaryFolder(), ['--topic', 'another'])
  expect(await bob.run(`connect ${alice.address}`)).toEqual(['ok'])
  expect(await carol.run(`connect ${alice.address}`)).toEqual(['ok'])
  await carol.run('put /carol 1')
  await alice.run('put /alice 1')
  await bob.until(() => bob.changes.includes('put /alice'))
  await bob.run('put /bob 1')
  await alice.until(() => alice.changes.includes('put /bob'))
  expect(await carol.run('list')).toEqual(['/carol\t1', 'ok 1 keys'])
  expect(alice.changes).toEqual(['put /bob'])
})
