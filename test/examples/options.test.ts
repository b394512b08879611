// The command line of the example peer.
import { describe, expect, test } from 'vitest'
import { ArgumentError, parseOptions, USAGE } from '../../examples/peer/options.ts'

describe('options', () => {
  test('have defaults: a folder, this machine alone, mDNS', () => {
    const { listen, ...others } = parseOptions([])
    expect(others).toEqual({
      data: 'data/peer',
      topic: 'datastore-crdt-peer',
      peers: [],
      mdns: true,
      watch: false,
      help: false
    })
    expect(listen.map(String)).toEqual(['/ip4/127.0.0.1/tcp/0'])
  })

  test('are taken as they are given, addresses more than once', () => {
    const args = '--data d --topic t --listen /ip4/0.0.0.0/tcp/1 --listen /ip6/::/tcp/2 --peer /dns4/a/tcp/3'
    const options = parseOptions([
      ...args.split(' '),
      '--peer',
      '/ip4/127.0.0.1/tcp/4',
      '--no-mdns',
      '--watch'
    ])
    expect(options).toMatchObject({ data: 'd', topic: 't', mdns: false, watch: true })
    expect(options.listen.map(String)).toEqual(['/ip4/0.0.0.0/tcp/1', '/ip6/::/tcp/2'])
    expect(options.peers.map(String)).toEqual(['/dns4/a/tcp/3', '/ip4/127.0.0.1/tcp/4'])
  })

  test.each([
    [['--nonsense']],
    [['stray']],
    [['--data']],
    [['--data', '']],
    [['--topic', '']],
    [['--listen', 'port 4001']],
    [['--listen', '']],
    [['--peer', '/']],
    [['--peer', '/no/such/protocol']]
  ])('that cannot be are refused: %j', (args) => {
    expect(() => parseOptions(args)).toThrow(ArgumentError)
  })

  test('are all in the usage', () => {
    for (const name of ['data', 'topic', 'listen', 'peer', 'no-mdns', 'watch', 'help']) {
      expect(USAGE).toMatch(new RegExp(`^  --${name} `, 'm'))
    }
  })
})
