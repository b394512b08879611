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
