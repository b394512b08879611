// The examples as a reader runs them: each a process of its own, judged by what it prints and by how it ends.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { ensureBuilt } from './build.ts'
import { deleteFolders, temporaryFolder } from './folders.ts'
import { killLineProcesses, LineProcess } from './line-process.ts'

/** Most of it is the start of Node on a busy machine, and a second for timers that libp2p leaves behind. */
const ENDS_WITHIN_MS = 30_000

const root = fileURLToPath(new URL('../..', import.meta.url))

beforeAll(ensureBuilt)
afterEach(async () => {
  await killLineProcesses()
  await deleteFolders()
})

/** What an example prints that ends by itself. */
async function run(file: string, args: string[] = []): Promise<string[]> {
  const example = new LineProcess(join('examples', file), args)
  expect(await example.end(ENDS_WITHIN_MS)).toEqual({ end: 0, errors: [] })
  return example.lines
}

test("a test of an app by Node's own test runner", async () => {
  const file = join(root, 'examples', 'testing', 'crash.node-test.ts')
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', file], {
    timeout: ENDS_WITHIN_MS
  })
  expect(stdout).toMatch(/^# pass 1$/m)
})

test('two peers', async () => {
  const [got, ...colors] = await run('two-peers.ts')
  expect(got).toBe('Bob got /greeting from Alice: hello')
  // Which one wins is not the point, but that it is the same one.
  const winner = colors[0]?.split(' ').at(-1)
  expect(['red', 'blue']).toContain(winner)
  expect(colors).toEqual([`Alice has /color ${winner}`, `Bob has /color ${winner}`])
})

test('a persistent peer is the same one when it is started again', async () => {
  const folder = join(await temporaryFolder(), 'peer')
  const first = await run('persistent-peer.ts', [folder])
  expect(first).toEqual([
    `The folder is ${folder}`,
    expect.stringMatching(/^The peer is 12D3KooW\w+$/),
    expect.stringMatching(/^It was started at \d{4}-\d\d-\d\dT[\d:.]+Z$/)
  ])
  const second = await run('persistent-peer.ts', [folder])
  expect(second).toHaveLength(4)
  expect(second).toEqual(expect.arrayContaining(first))
})

test('batches and watch', async () => {
  expect(await run('batches-and-watch.ts')).toEqual([
    'Before the commit: false',
    'After the commit: true',
    '#1 /orders/1/item is tea',
    '#1 /orders/1/count is 2',
    '#2 /orders/1/item is coffee, was tea',
    '#2 /orders/1/count is gone, was 2',
    '#4 /orders/2/item is oat milk'
  ])
})

test('an offline-first writer', async () => {
  expect(await run('offline-first.ts')).toEqual([
    'The laptop got Plan',
    'Offline, the laptop has Plan of the laptop',
    'Online again, the laptop has Plan of the laptop: Written on a train',
    'Online again, the office has Plan of the laptop: Written on a train',
    'Kept: Plan of the laptop',
    'Kept: Plan of the office',
    'Kept: Plan',
    'Settled: Plan of both'
  ])
})

describe('the task list', () => {
  test('two processes edit at the same time, one of them after it was killed, and converge', async () => {
    const folder = await temporaryFolder()
    const alice = await TaskListProcess.start(join(folder, 'alice'))
    const killed = await TaskListProcess.start(join(folder, 'bob'))
    await killed.connect(alice)
    const milk = await alice.add('Buy milk')
    const call = await alice.add('Call home')
    const bill = await killed.add('Pay the bill')
    await killed.until(`${milk} [ ] Buy milk`, `${call} [ ] Call home`)
    await alice.until(`${bill} [ ] Pay the bill`)
    await killed.kill()

    // Bob is back from his folder, and nobody has told him of Alice yet: what they type now is concurrent.
    const bob = await TaskListProcess.start(join(folder, 'bob'))
    const before = [`${milk} [ ] Buy milk`, `${call} [ ] Call home`, `${bill} [ ] Pay the bill`]
    expect(await bob.list()).toEqual(before)
    expect(await alice.list()).toEqual(before)
    alice.type(`rename ${milk} Buy oat milk`, `remove ${call}`, `remove ${bill}`)
    await alice.until(`${milk} [ ] Buy oat milk`, `${call} removed`, `${bill} removed`)
    bob.type(`complete ${milk}`, `rename ${call} Call home at eight`, `complete ${bill}`)
    await bob.until(`${milk} [x] Buy milk`, `${call} [ ] Call home at eight`, `${bill} [x] Pay the bill`)

    await bob.connect(alice)
    // Different fields of one task: both changes stay. A removal and a new title: it is back. A removal and a `done`:
    // it stays removed, which Alice is told again.
    const after = [`${milk} [x] Buy oat milk`, `${call} [ ] Call home at eight`]
    await alice.until(...after)
    await alice.untilTrue(() => alice.lines.filter((line) => line === `${bill} removed`).length === 2)
    await bob.until(`${milk} [x] Buy oat milk`, `${bill} removed`)
    expect(await alice.list()).toEqual(after)
    expect(await bob.list()).toEqual(after)

    // And they go on, in both directions.
    alice.type(`complete ${call}`)
    await bob.until(`${call} [x] Call home at eight`)
    bob.type(`remove ${milk}`)
    await alice.until(`${milk} removed`)
    expect(await alice.quit()).toEqual({ end: 0, errors: [] })
    expect(await bob.quit()).toEqual({ end: 0, errors: [] })
  })

  test('what cannot be done is said, and it goes on; it ends with its input', async () => {
    const folder = await temporaryFolder()
    const tasks = await TaskListProcess.start(folder)
    const second = await new LineProcess('examples/task-list/main.ts', [folder]).end(ENDS_WITHIN_MS)
    expect(second.end).toBe(1)
    expect(second.errors.join('\n')).toMatch(/^DatastoreLockedError: /m)
    tasks.type('complete nothing', 'dance', 'add  Two  words ')
    await tasks.until('Error: There is no task nothing')
    await tasks.untilMatch(/^add TITLE \|/)
    await tasks.untilMatch(/ \[ \] Two {2}words$/)
    tasks.endInput()
    expect(await tasks.end(ENDS_WITHIN_MS)).toMatchObject({ end: 0 })
  })
})

test('peers of the swarm of globaldb, over Helia, hear of each other, keep what they have and bring it along', async () => {
  const folders = [join(await temporaryFolder(), 'alice'), join(await temporaryFolder(), 'bob')] as const
  const start = async (folder: string): Promise<[LineProcess, string]> => {
    const peer = new LineProcess('examples/go-swarm/main.ts', [folder])
    const [, address] = await peer.untilMatch(/^Others can connect to (.+)$/)
    return [peer, address!]
  }
  const quit = async (...peers: LineProcess[]): Promise<void> => {
    for (const peer of peers) peer.type('quit')
    for (const peer of peers) expect(await peer.end(ENDS_WITHIN_MS)).toEqual({ end: 0, errors: [] })
  }
  const [alice, address] = await start(folders[0])
  alice.type('put /early before anybody came', 'dance')
  await alice.until('Added: [/early] -> before anybody came', HELP)
  const [bob] = await start(folders[1])
  bob.type(`connect ${address}`)
  await bob.until('Added: [/early] -> before anybody came')
  bob.type('put /late  thing', 'delete /early', 'get /late')
  await bob.until('[/late] -> thing')
  await alice.until('Added: [/late] -> thing', 'Removed: [/early]')
  await quit(alice, bob)

  // The same folders, and a third who has nothing.
  const [again, there] = await start(folders[0])
  const [carol] = await start(join(await temporaryFolder(), 'carol'))
  carol.type(`connect ${there}`)
  await carol.until('Added: [/late] -> thing')
  carol.type('list')
  await carol.until('[/late] -> thing', 'ok')
  await quit(again, carol)
})

const HELP = 'put KEY VALUE | get KEY | delete KEY | list | connect ADDRESS | quit'

/** A task list that is typed at. */
class TaskListProcess extends LineProcess {
  static async start(folder: string): Promise<TaskListProcess> {
    const tasks = new TaskListProcess('examples/task-list/main.ts', [folder])
    await tasks.untilMatch(/^Others can connect to /)
    return tasks
  }

  async connect(other: TaskListProcess): Promise<void> {
    const [, address] = await other.untilMatch(/^Others can connect to (.+)$/)
    this.type(`connect ${address}`)
  }

  /** @returns the id. */
  async add(title: string): Promise<string> {
    this.type(`add ${title}`)
    const [, id] = await this.untilMatch(new RegExp(`^(\\S+) \\[ \\] ${title}$`))
    return id!
  }

  async list(): Promise<string[]> {
    const from = this.lines.length
    this.type('list')
    await this.untilTrue(() => this.lines.indexOf('ok', from) !== -1)
    return this.lines.slice(from, this.lines.indexOf('ok', from))
  }

  async quit(): Promise<{ end: number | string; errors: string[] }> {
    this.type('quit')
    return await this.end(ENDS_WITHIN_MS)
  }
}
