/**
 * The life of a store: started, stopped, started again, closed for good.
 *
 * Invariants: starts and stops follow each other in the order of their calls; nothing of the store can be used
 * before `start` or after `stop`; `close` is final.
 */
import { untilAborted, untilAbortedEach } from './abort.ts'
import type { CheckedStore } from './check/checked.ts'
import { type CheckContext, runningStore, stoppedStore } from './check/checked-store.ts'
import { ClosedError, NotStartedError } from './errors.ts'
import { GuardedEventTarget } from './events.ts'
import { replay } from './inspect/replay.ts'
import { changeOf, type Hooks, Notifier } from './notifier.ts'
import type { Limits } from './options.ts'
import { applyQuery, type QueryTail } from './query.ts'
import type { ReplicaListener } from './replica/listener.ts'
import type { Clock, Logger } from './replica/ports.ts'
import type { Replica } from './replica/replica.ts'
import type { Stats } from './stats.ts'
import { type CheckReport, type RepairOptions, runCheck } from './verification.ts'
import { Watches } from './watch.ts'

/** What the composition root gives to a store. */
export interface StoreParts extends Hooks {
  limits: Limits
  clock: Clock
  logger: Logger
  /** Starts a replica, or throws why it cannot. */
  open(listener: ReplicaListener): Promise<OpenReplica>
  topic: string | undefined
  /** The store's rows, for a check. */
  checkContext(signal: AbortSignal | undefined): CheckContext
  /** Runs a task while nobody else may use the rows, of a store that is not started. */
  whileStopped<T>(task: () => Promise<T>): Promise<T>
}

/** A replica that runs, and how to end it. */
export interface OpenReplica {
  replica: Replica
  stats(): Stats
  /** Makes what is written so far survive a power loss, where the datastore can. */
  flush(): Promise<void>
  stop(): Promise<void>
}

/** An open replica with those who watch it. */
interface Running extends OpenReplica {
  watches: Watches
}

/** The part of `CrdtDatastore` that starts and stops it; see there. */
export abstract class StoreLifecycle extends GuardedEventTarget {
  protected readonly parts: StoreParts
  /** Exceptions that listeners and hooks threw. */
  protected listenerErrors = 0
  readonly #notifier: Notifier
  #running: Running | undefined
  #transition: Promise<unknown> = Promise.resolve()
  #checking: Promise<unknown> = Promise.resolve()
  /** The check of the replica that runs, which has to end before that. */
  #checkOfRunning: Promise<unknown> = Promise.resolve()
  #stopping = new AbortController()
  #closed = false

  constructor(parts: StoreParts) {
    const onError = (error: unknown): void => {
      this.listenerErrors += 1
      parts.logger.error('an event listener failed - %e', error)
    }
    super(onError)
    this.parts = parts
    this.#notifier = new Notifier({
      ...{ putHook: parts.putHook, deleteHook: parts.deleteHook, onError },
      listenerCount: (type) => this.listenerCount(type),
      dispatch: (type, detail) => void this.safeDispatchEvent(type, { detail }),
      watches: () => this.#running?.watches
    })
  }

  /** Whether the store can be used. */
  isStarted(): boolean {
    return this.#running !== undefined
  }

  /**
   * Opens the store and joins the topic. Does nothing if it is started.
   *
   * @throws ClosedError, DatastoreLockedError, DatastoreOpenError, LayoutTooNewError, TopicMismatchError,
   * NamespaceInUseError or CorruptRowError; the store is then not started, and may be started again.
   */
  async start(): Promise<void> {
    await this.#queueTransition(async () => {
      if (this.#closed) throw new ClosedError()
      this.#running ??= await this.#open()
    })
  }

  /**
   * Leaves the topic and lets go of the datastore, promptly: the commit under way is finished, writes that wait are
   * rejected with `ClosedError`, watches end, and nothing is left running. The datastore stays open: it is the
   * caller's. Does nothing if the store is not started.
   */
  async stop(): Promise<void> {
    // At once, because a check of a store that is not started is a transition itself.
    this.#endChecks()
    await this.#queueTransition(async () => {
      const running = this.#running
      this.#running = undefined
      running?.watches.stop()
      this.#endChecks()
      await this.#checkOfRunning
      await running?.stop()
    })
  }

  /** `stop`, and for good. */
  async close(): Promise<void> {
    this.#closed = true
    await this.stop()
  }

  /** @throws NotStartedError, ClosedError or StoreFailedError if the store cannot be used now. */
  protected get running(): Running {
    if (this.#closed) throw new ClosedError()
    if (this.#running === undefined) throw new NotStartedError()
    this.#running.replica.assertUsable()
    return this.#running
  }

  /** One check after the other; a store that is not started cannot be started meanwhile. */
  protected async check(mend: boolean, options: RepairOptions): Promise<CheckReport> {
    options.signal?.throwIfAborted()
    if (this.#closed) throw new ClosedError()
    const stopping = this.#stopping.signal
    const signal = options.signal === undefined ? stopping : AbortSignal.any([options.signal, stopping])
    const { promise: begun, resolve } = Promise.withResolvers<void>()
    const run = async (store: CheckedStore): Promise<CheckReport> => {
      signal.throwIfAborted()
      resolve()
      return await runCheck({ store, topic: this.parts.topic, mend, options })
    }
    const done = this.#checking.then(async () => this.#check(this.parts.checkContext(signal), run))
    this.#checking = done.catch(() => {})
    // Others may take long, and whoever waits for them has nothing to clear away.
    await untilAborted(Promise.race([begun, done]), signal)
    return await done
  }

  async #check(
    context: CheckContext,
    run: (store: CheckedStore) => Promise<CheckReport>
  ): Promise<CheckReport> {
    for (;;) {
      context.signal?.throwIfAborted()
      if (this.#running !== undefined) {
        const { replica } = this
        return await replica.purges.between(async () => {
          const done = run(runningStore(replica, context))
          this.#checkOfRunning = done.catch(() => {})
          return await done
        })
      }
      const report = await this.#queueTransition(async () => {
        // It may have been started meanwhile.
        if (this.#running !== undefined) return undefined
        return await this.parts.whileStopped(async () => run(await stoppedStore(context)))
      })
      if (report !== undefined) return report
    }
  }

  /**
   * Yields what is read of a replica until the signal is aborted, and no longer than the replica can be used, so that
   * a reader who goes on after a stop holds no iterator of the datastore open.
   *
   * @param read - what there is, in hands.
   */
  protected reading<T>(
    read: (replica: Replica) => AsyncGenerator<readonly T[]>,
    query: QueryTail<T>,
    signal: AbortSignal | undefined
  ): AsyncGenerator<T> {
    let replica: Replica | undefined
    const usable = (): Replica => {
      signal?.throwIfAborted()
      replica ??= this.replica
      replica.assertUsable()
      return replica
    }
    // Nothing happens before the first item is asked for.
    const hands = async function* (): AsyncGenerator<readonly T[]> {
      yield* untilAbortedEach(read(usable()), signal)
    }
    return applyQuery(hands(), query, usable)
  }

  protected get replica(): Replica {
    return this.running.replica
  }

  async #open(): Promise<Running> {
    this.listenerErrors = 0
    const open = await this.parts.open(this.#notifier)
    const { stores, state } = open.replica
    const source = {
      async *replay(from: number, to: number, prefix: string) {
        for await (const change of replay(stores, { from, to, prefix })) {
          yield { ...changeOf(change), replayed: true as const }
        }
      }
    }
    const watches = new Watches(source, this.parts.limits.watchBufferBytesMax, state.committed.sequence)
    return { ...open, watches }
  }

  #endChecks(): void {
    this.#stopping.abort(new ClosedError())
    this.#stopping = new AbortController()
  }

  async #queueTransition<T>(transition: () => Promise<T>): Promise<T> {
    const done = this.#transition.then(transition)
    this.#transition = done.catch(() => {})
    return await done
  }
}
