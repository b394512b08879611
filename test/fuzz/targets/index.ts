// Everything that is fuzzed.
import type { Target } from '../target.ts'
import { broadcastTarget } from './broadcast.ts'
import { dagPbTarget } from './dag-pb.ts'
import { deltaTarget } from './delta.ts'
import { journalTarget } from './journal.ts'
import { blockIdTarget, keyTarget, rowKeyTarget } from './names.ts'
import { nodeTarget } from './node.ts'
import { rowsTarget } from './rows.ts'
import { storeTarget } from './store.ts'
import { streamsTarget } from './streams.ts'
import { syncClientTarget } from './sync-client.ts'
import { syncRequestTarget, syncResponseTarget } from './sync-messages.ts'
import { syncServerTarget } from './sync-server.ts'

export const targets: readonly Target[] = [
  deltaTarget,
  dagPbTarget,
  nodeTarget,
  broadcastTarget,
  blockIdTarget,
  keyTarget,
  rowKeyTarget,
  rowsTarget,
  journalTarget,
  syncRequestTarget,
  syncResponseTarget,
  syncServerTarget,
  syncClientTarget,
  streamsTarget,
  storeTarget
]
