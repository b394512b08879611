/**
 * A task list that several people edit at once, each on a copy of their own. Each field of a task is a key of its own:
 *
 *     /tasks/ID/title    the title; what has none is no task
 *     /tasks/ID/done     there if the task is done
 *
 * What becomes of one task when two people change it before they have heard of each other:
 *
 * - One renames and one completes it: both changes stay, because they are of different keys. With one key for the
 *   whole task, such as a JSON object, one of the two changes would be lost.
 * - Both rename it: one of the titles wins, the same for everybody.
 * - One removes and one renames it: a delete removes what its writer had seen, and the new title is not among that.
 *   So the task is back under its new name, and not done: what somebody has just typed is not thrown away.
 * - One removes and one completes it: the title is gone, and so is the task. A `done` is left behind that belongs to
 *   nothing, and is passed over.
 *
 * Where a removal should win over everything, write a field `removed` instead of deleting. It takes room for ever.
 */
import { randomUUID } from 'node:crypto'
import type { Change, CrdtDatastore } from 'datastore-crdt'
import { Key } from 'interface-datastore'

export interface Task {
  id: string
  title: string
  done: boolean
}

/** The task is undefined if it was removed. */
export type TaskListener = (id: string, task: Task | undefined) => void

const PREFIX = '/tasks/'

export class TaskList {
  readonly #store: CrdtDatastore

  constructor(store: CrdtDatastore) {
    this.#store = store
  }

  /** The id is random: if peers counted their tasks, two of them would give one number to different tasks. */
  async add(title: string): Promise<string> {
    const id = randomUUID()
    await this.#put(id, 'title', title)
    return id
  }

  async rename(id: string, title: string): Promise<void> {
    await this.#mustExist(id)
    await this.#put(id, 'title', title)
  }

  async complete(id: string): Promise<void> {
    await this.#mustExist(id)
    await this.#put(id, 'done', 'yes')
  }

  /** Removes all fields in one batch, so that nobody sees a task with some of them. */
  async remove(id: string): Promise<void> {
    await this.#mustExist(id)
    const batch = this.#store.batch()
    for await (const key of this.#store.queryKeys({ prefix: `${PREFIX}${id}/` })) batch.delete(key)
    await batch.commit()
  }

  /** All tasks by their titles. A query has no order of its own. */
  async list(): Promise<Task[]> {
    const tasks = await this.#read(PREFIX)
    return tasks.sort((a, b) => a.title.localeCompare(b.title))
  }

  /**
   * Tells of every task that is changed from now on, here or elsewhere: what draws a screen needs no more than that.
   *
   * @returns what ends it, to be called before the store is closed, because a change is followed by a read.
   */
  onChange(listener: TaskListener): () => Promise<void> {
    const changes = this.#store.watch({ prefix: PREFIX })
    const telling = this.#tell(changes, listener)
    return async () => {
      await changes.return(undefined)
      await telling
    }
  }

  async #tell(changes: AsyncIterable<Change>, listener: TaskListener): Promise<void> {
    let told = ''
    for await (const { key, sequence } of changes) {
      const [, id = ''] = key.namespaces()
      // A removal changes several fields of one task at once. To tell of it once is enough.
      if (told === `${sequence}/${id}`) continue
      told = `${sequence}/${id}`
      listener(id, await this.#get(id))
    }
  }

  async #put(id: string, field: 'title' | 'done', value: string): Promise<void> {
    await this.#store.put(new Key(`${PREFIX}${id}/${field}`), new TextEncoder().encode(value))
  }

  async #get(id: string): Promise<Task | undefined> {
    const [task] = await this.#read(`${PREFIX}${id}/`)
    return task
  }

  /** A change of what was removed would leave fields behind that belong to nothing. */
  async #mustExist(id: string): Promise<void> {
    if ((await this.#get(id)) === undefined) throw new Error(`There is no task ${id}`)
  }

  /** Tasks from their fields. Fields that this version of the app does not know are passed over. */
  async #read(prefix: string): Promise<Task[]> {
    const titles = new Map<string, string>()
    const done = new Set<string>()
    for await (const { key, value } of this.#store.query({ prefix })) {
      const [, id = '', field] = key.namespaces()
      if (field === 'title') titles.set(id, new TextDecoder().decode(value))
      if (field === 'done') done.add(id)
    }
    return Array.from(titles, ([id, title]) => ({ id, title, done: done.has(id) }))
  }
}
