// Replicas in one process that hear each other's broadcasts while they are connected; what was said before waits.
import type { Broadcaster } from '../../src/index.ts'

type Receive = (message: Uint8Array, from: string) => void

export class Wire {
  connected = true
  readonly #receivers = new Map<string, Receive>()
  readonly #waiting: Array<{ message: Uint8Array; from: string }> = []

  /** The end of one replica. */
  end(name: string): Broadcaster {
    return {
      start: async (receive) => {
        this.#receivers.set(name, receive)
      },
      stop: async () => {
        this.#receivers.delete(name)
      },
      broadcast: async (message) => {
        this.#waiting.push({ message, from: name })
        this.flush()
        return true
      }
    }
  }

  /** Delivers what waits, if they are connected. */
  flush(): void {
    if (!this.connected) return
    for (const { message, from } of this.#waiting.splice(0)) {
      for (const [name, receive] of this.#receivers) if (name !== from) receive(message, from)
    }
  }
}
