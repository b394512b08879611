import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// One project runs with `npx vitest run --project unit`.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/compliance/**',
            'test/e2e/**',
            'test/interop/**',
            'test/package/**',
            'test/processes/**',
            'test/simulation/**',
            'test/crash/**'
          ],
          pool: 'threads'
        }
      },
      {
        // Whole lives of replicas in virtual time. They take all the time that there is, so they come after the tests
        // that have to do with real time.
        test: {
          name: 'simulation',
          include: ['test/simulation/**/*.test.ts', 'test/crash/**/*.test.ts'],
          pool: 'threads',
          maxWorkers: 2,
          sequence: { groupOrder: 1 }
        }
      },
      {
        // The test suite of interface-datastore, written for mocha and aegir. Its files stay apart from ours, because
        // chai-as-promised breaks the `rejects` of vitest in the file that loads it.
        resolve: {
          alias: {
            'aegir/chai': fileURLToPath(new URL('./test/compliance/aegir-chai.ts', import.meta.url))
          }
        },
        test: {
          name: 'compliance',
          include: ['test/compliance/**/*.test.ts'],
          globals: true,
          isolate: true,
          pool: 'forks',
          testTimeout: 60_000,
          setupFiles: ['test/compliance/mocha-globals.ts'],
          // The alias reaches only modules which vitest itself transforms.
          server: { deps: { inline: ['interface-datastore-tests'] } }
        }
      },
      {
        // Real peers over real sockets, one file after another, so that they do not starve each other.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'examples/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000
        }
      },
      {
        // Processes that are killed, and networks that break. Each file has the machine to itself, but within one some
        // tests run at a time, since they wait for timeouts.
        test: {
          name: 'processes',
          include: ['test/processes/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          sequence: { concurrent: true },
          maxConcurrency: 4,
          testTimeout: 3_600_000,
          hookTimeout: 120_000
        }
      },
      {
        // Swarms with go-ds-crdt, whose peers are built before; skipped with a word where there is no Go.
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: ['test/interop/go-build.ts'],
          pool: 'forks',
          // After all others, since some of its tests are about speed.
          sequence: { groupOrder: 2 },
          // Each file has peers of its own, and loading Helia anew for each would take longer than its tests.
          isolate: false,
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000
        }
      },
      {
        // The package as users get it: packed and installed elsewhere. One file after another too, since they start
        // compilers, for which the peers of the other tests should not have to wait.
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: ['test/package/install-tarball.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000
        }
      }
    ]
  }
})
