/**
 * How often something is killed, and from what seed: `npm run test:kill -- --rounds 100 --seed 7` says it by
 * environment variables. The seed is printed, so that a failure can be looked for again.
 */
export const ROUNDS = Number(process.env.KILL_ROUNDS ?? 3)
export const SEED = Number(process.env.KILL_SEED ?? Math.floor(Math.random() * 2 ** 31))

console.info(`${ROUNDS} rounds from seed ${SEED}: npm run test:kill -- --rounds ${ROUNDS} --seed ${SEED}`)
