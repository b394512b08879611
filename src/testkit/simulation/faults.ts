/**
 * What happens to the disks and processes of a script's replicas.
 *
 * Invariant: whoever counts promises is told, before anybody can look, that a disk is another or may have lost something.
 */
import { SimulatedDisk } from '../disk/simulated-disk.ts'
import type { SimulatedReplica } from '../simulated-replica.ts'
import type { Step } from './script.ts'
import { whileItRuns } from './while-it-runs.ts'

type FaultName = 'close' | 'crash' | 'crash at write' | 'lose power' | 'fail writes' | 'slow disk'
type DiskName = 'lose disk' | 'back up' | 'restore'

export type FaultStep = Extract<Step, { do: FaultName | DiskName }>

export class Faults {
  readonly #diskReplaced: (replica: SimulatedReplica) => void
  readonly #backups = new Map<string, SimulatedDisk>()
  /** Processes that were killed by a step. */
  crashes = 0

  /** @param diskReplaced - the disk of a replica is another, or lost what was not flushed. */
  constructor(diskReplaced: (replica: SimulatedReplica) => void) {
    this.#diskReplaced = diskReplaced
  }

  async befall(replica: SimulatedReplica, step: FaultStep): Promise<void> {
    const { disk, name, world } = replica
    switch (step.do) {
      case 'close':
        await whileItRuns(replica, () => replica.close())
        return
      case 'crash':
        this.crashes++
        return replica.crash()
      case 'lose power':
        return this.losePower(replica)
      case 'crash at write':
        if (replica.isRunning) disk.faults.stopAt = disk.writes + step.writes
        return
      case 'fail writes':
        return failWrites(disk, step)
      case 'slow disk': {
        const random = world.random('disks')
        disk.faults.writeMs = step.ms === 0 ? undefined : () => random() * step.ms
        return
      }
      case 'back up':
        this.#backups.set(name, disk.copy())
        return
      case 'lose disk':
        return this.#replaceDisk(replica, new SimulatedDisk())
      case 'restore':
        return this.#replaceDisk(replica, this.#backups.get(name)?.copy())
    }
  }

  losePower(replica: SimulatedReplica): void {
    this.crashes++
    replica.losePower()
    if (!replica.flushes) this.#diskReplaced(replica)
  }

  #replaceDisk(replica: SimulatedReplica, disk: SimulatedDisk | undefined): void {
    if (disk === undefined) return
    replica.replaceDisk(disk)
    this.#diskReplaced(replica)
  }
}

function failWrites(disk: SimulatedDisk, { count, after }: Extract<Step, { do: 'fail writes' }>): void {
  const last = disk.writes + count
  const isFailing = (write: number): boolean => write <= last
  if (after) disk.faults.failAfterWrite = isFailing
  else disk.faults.failWrite = isFailing
}
