/**
 * The task list at a command line: `node examples/task-list/main.ts FOLDER`. It ends with its input, or with `quit`.
 * If it is killed instead, nothing is lost that it has shown.
 */
import { createInterface } from 'node:readline'
import { multiaddr } from '@multiformats/multiaddr'
import { openPeer } from './peer.ts'
import { type Task, TaskList } from './task-list.ts'

const HELP = 'add TITLE | rename ID TITLE | complete ID | remove ID | list | connect ADDRESS | quit'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('Name a folder: node examples/task-list/main.ts FOLDER')
const { libp2p, store, close } = await openPeer(folder)
const tasks = new TaskList(store)

function show(id: string, task: Task | undefined): void {
  // Others may have put anything into a title, also what would control a terminal.
  const title = task?.title.replace(/\p{Cc}/gu, ' ')
  console.log(task === undefined ? `${id} removed` : `${id} [${task.done ? 'x' : ' '}] ${title}`)
}

async function run(command: string, argument: string): Promise<void> {
  const [id = ''] = argument.split(' ', 1)
  if (command === 'add') await tasks.add(argument)
  else if (command === 'rename') await tasks.rename(id, argument.slice(id.length).trim())
  else if (command === 'complete') await tasks.complete(id)
  else if (command === 'remove') await tasks.remove(id)
  else if (command === 'connect') await libp2p.dial(multiaddr(argument))
  else if (command === 'list') {
    for (const task of await tasks.list()) show(task.id, task)
    console.log('ok')
  } else console.log(HELP)
}

const stopShowing = tasks.onChange(show)
console.log(`Others can connect to ${libp2p.getMultiaddrs()[0]}`)
for await (const line of createInterface({ input: process.stdin })) {
  const [command = ''] = line.trim().split(' ', 1)
  if (command === 'quit') break
  try {
    await run(command, line.trim().slice(command.length).trim())
  } catch (error) {
    console.error(String(error))
  }
}
// An input that may still bring something would keep the process.
process.stdin.destroy()
await stopShowing()
await close()
