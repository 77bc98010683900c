import type { Mistake } from '../mistake.ts'
import { CORE } from './core.ts'
import { INGEST } from './ingest.ts'
import { QUEUE } from './queue.ts'
import { RELAY } from './relay.ts'
import { SERVING } from './serving.ts'
import { STORAGE } from './storage.ts'
import { STREAMS } from './streams.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [
  ...CORE,
  ...INGEST,
  ...QUEUE,
  ...RELAY,
  ...SERVING,
  ...STORAGE,
  ...STREAMS,
]
