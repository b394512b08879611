/**
 * `npm run test:kill -- --rounds 100 --seed 7`: the tests that kill processes, as many rounds as are wanted.
 */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '100' }, seed: { type: 'string' } }
})
const env = { ...process.env, KILL_ROUNDS: values.rounds }
if (values.seed !== undefined) env.KILL_SEED = values.seed

const { status } = spawnSync('vitest', ['run', '--project', 'processes', 'kill-'], {
  env,
  stdio: 'inherit',
  shell: process.platform === 'win32'
})
process.exitCode = status ?? 1
