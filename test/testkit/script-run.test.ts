// How a script is run: what its checks may take for a fault, and what they may not.
import { expect, test } from 'vitest'
import { runScript } from '../../src/testkit/simulation/run.ts'
import type { Script, Step } from '../../src/testkit/simulation/script.ts'

function script(steps: Step[], link: Script['link'] = { latencyMs: 1 }): Script {
  return {
    ...{ seed: 1, profile: 'everything', link, steps },
    replicas: {
      ...{ kind: 'level', durability: 'process', coalesce: true },
      limits: { rebroadcastIntervalMs: 5000 }
    }
  }
}

// Seed 3077: nobody started it again, and what it alone had was missed.
test('a replica that dies of its last slow write, while everything heals already, is started again', async () => {
  const steps: Step[] = [
    { do: 'join', replica: 'alice' },
    { do: 'join', replica: 'bob' },
    { do: 'partition', groups: [['alice'], ['bob']] },
    { do: 'put', replica: 'alice', key: '/k', value: 'alone' },
    { do: 'wait', ms: 50 },
    { do: 'slow disk', replica: 'alice', ms: 4000 },
    { do: 'crash at write', replica: 'alice', writes: 1 },
    { do: 'put', replica: 'alice', key: '/k', value: 'never acknowledged' }
  ]
  const { acknowledged, nodes } = await runScript(script(steps))
  expect({ acknowledged, nodes }).toEqual({ acknowledged: 1, nodes: 1 })
})

// Seed 1519: what went then was taken for written by the replica, in a DAG that came back later.
test('a purge that a failing disk cut off tells at the next start of what goes, and nothing of that was written', async () => {
  const steps: Step[] = [
    { do: 'join', replica: 'alice' },
    { do: 'join', replica: 'bob' },
    { do: 'wait', ms: 100 },
    { do: 'put', replica: 'alice', key: '/k', value: 'dropped' },
    { do: 'wait', ms: 500 },
    { do: 'put', replica: 'bob', key: '/other', value: 'later', dagName: 'one' },
    { do: 'fail writes', replica: 'bob', count: 3, after: true },
    { do: 'purge', replica: 'bob', dagName: '' }
  ]
  expect(await runScript(script(steps))).toMatchObject({ nodes: 2 })
})

// Seed 4739: the one's gap was above the other's, and both had the same heads and the same state.
test('replicas that lack another block each are not level until the one has what the other has', async () => {
  const steps: Step[] = [
    { do: 'join', replica: 'carol' },
    { do: 'join', replica: 'dave' },
    { do: 'join', replica: 'erin' },
    { do: 'hostile joins', peer: 'mallory', lie: 'another digest' },
    {
      do: 'batch',
      replica: 'carol',
      operations: [
        { put: '/k/2', value: 'v4......' },
        { put: '/k/0', value: 'v5...........' },
        { put: '/k/5', value: 'v6.....................' },
        { put: '/k/1', value: 'v7..................' }
      ]
    },
    { do: 'wait', ms: 24 },
    {
      do: 'link',
      conditions: { latencyMs: 10, jitterMs: 300, loss: 0.3, duplication: 0.2, bytesPerMs: 10 }
    },
    { do: 'wait', ms: 265 },
    { do: 'delete', replica: 'carol', key: '/k/2' },
    { do: 'wait', ms: 230 },
    { do: 'delete', replica: 'carol', key: '/k/0' },
    { do: 'lose power', replica: 'carol' }
  ]
  const link = { latencyMs: 1, jitterMs: 50, loss: 0.1, duplication: 0.2 }
  const { replicas } = script([])
  const limits = {
    ...{ rebroadcastIntervalMs: 5000, gapPatienceMs: 20_000, pendingBlocksPerPeerMax: 64, commitNodesMax: 3 },
    ...{ linksMax: 1, pendingBytesPerPeerMax: 65_536, wantedHeadsMax: 400, blockBytesMax: 65_536 },
    ...{ readyBytesMax: 65_536, syncStreamsPerPeerMax: 2, syncStreamsMax: 6 }
  }
  const lived = {
    ...script(steps, link),
    seed: 4739,
    replicas: { ...replicas, kind: 'atomic', limits } as const
  }
  expect(await runScript(lived)).toMatchObject({ nodes: 2 })
})
