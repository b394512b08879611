// Many replicas, much loss, and partitions that come and go: everybody ends with the same, and every check holds.
import { expect, test } from 'vitest'
import { below, pick, streamOf } from '../../src/testkit/seeded-random.ts'
import { runScript } from '../../src/testkit/simulation/run.ts'
import type { Script, Step } from '../../src/testkit/simulation/script.ts'

const REPLICAS = 50

function swarm(seed: number): Script {
  const random = streamOf(seed, 'swarm')
  const names = Array.from({ length: REPLICAS }, (_, index) => `r${index}`)
  const steps: Step[] = names.map((replica) => ({ do: 'join', replica }))
  for (let round = 0; round < 4; round++) {
    const groups: string[][] = [[], [], []]
    for (const name of names) pick(random, groups).push(name)
    steps.push({ do: 'partition', groups })
    for (let write = 0; write < 12; write++) {
      const [replica, key] = [pick(random, names), `/k/${below(random, 4)}`]
      steps.push(
        random() < 0.8
          ? { do: 'put', replica, key, value: `${round} ${write}` }
          : { do: 'delete', replica, key }
      )
      steps.push({ do: 'wait', ms: below(random, 200) })
    }
    steps.push({ do: 'heal' }, { do: 'wait', ms: 300 })
  }
  const replicas = { kind: 'level', durability: 'process', coalesce: true } as const
  const limits = { rebroadcastIntervalMs: 5000, syncStreamsMax: 128 }
  const link = { latencyMs: 20, jitterMs: 50, loss: 0.3 }
  return { seed, profile: 'swarm', replicas: { ...replicas, limits }, link, steps }
}

test('50 replicas with 30% loss and partitions converge once they heal', async () => {
  const { acknowledged, nodes } = await runScript(swarm(1))
  expect(acknowledged).toBe(48)
  expect(nodes).toBeGreaterThan(38)
}, 240_000)
