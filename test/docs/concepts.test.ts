// The drawings in docs/concepts.md that are said to be printed by `store.dag.print()` are.
import { MemoryDatastore } from 'datastore-core'
import { Key } from 'interface-datastore'
import { expect, onTestFinished, test } from 'vitest'
import { type Broadcaster, type CrdtDatastore, createCrdtDatastore } from '../../src/index.ts'
import { read } from './tables.ts'
import { Wire } from './wire.ts'

const page = read('docs/concepts.md')
const encode = (text: string): Uint8Array => new TextEncoder().encode(text)

async function open(broadcaster: Broadcaster): Promise<CrdtDatastore> {
  const store = await createCrdtDatastore({ datastore: new MemoryDatastore(), topic: 'tea', broadcaster })
  onTestFinished(async () => await store.close())
  return store
}

async function drawingOf(store: CrdtDatastore): Promise<string> {
  const lines: string[] = []
  for await (const line of store.dag.print()) lines.push(line)
  return lines.join('\n')
}

function drawingIn(name: string): string | undefined {
  return new RegExp(`<!-- test: ${name} -->\n\`\`\`text\n(.*?)\n\`\`\``, 's').exec(page)?.[1]
}

test('two replicas that wrote at the same time, and a delete after it, are drawn as the page has them', async () => {
  const wire = new Wire()
  const [alice, bob] = [await open(wire.end('alice')), await open(wire.end('bob'))]
  await alice.put(new Key('/tea'), encode('black'))
  await alice.put(new Key('/milk'), encode('no'))
  await expect.poll(async () => await bob.digest()).toBe(await alice.digest())

  wire.connected = false
  await alice.put(new Key('/tea'), encode('green'))
  await bob.put(new Key('/tea'), encode('white'))
  await bob.put(new Key('/sugar'), encode('two'))
  wire.connected = true
  wire.flush()
  await expect.poll(async () => (await alice.stats()).nodes).toBe(5)
  expect(await drawingOf(alice)).toBe(drawingIn('merged'))
  expect(new TextDecoder().decode(await alice.get(new Key('/tea')))).toBe('white')
  const { text } = await alice.explain(new Key('/tea'))
  expect(text).toMatch(/priority 3 ties with .*, and of the two values its bytes are greater\./)

  await alice.delete(new Key('/tea'))
  expect(await drawingOf(alice)).toBe(drawingIn('deleted'))
})
