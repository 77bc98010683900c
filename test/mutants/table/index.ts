import type { Mistake } from '../mistake.ts'
import { ACCESS } from './access.ts'
import { CORE } from './core.ts'
import { INCIDENTS } from './incidents.ts'
import { INGEST } from './ingest.ts'
import { KEEPING } from './keeping.ts'
import { KINDS } from './kinds.ts'
import { MEASURING } from './measuring.ts'
import { PAGES } from './pages.ts'
import { PUSHED } from './push.ts'
import { QUEUE } from './queue.ts'
import { REGISTERING } from './registering.ts'
import { RELAY } from './relay.ts'
import { REQUESTS } from './requests.ts'
import { SERVING } from './serving.ts'
import { STORAGE } from './storage.ts'
import { STREAMS } from './streams.ts'
import { TOPOLOGY } from './topology.ts'
import { WIRING } from './wiring.ts'

/** All mistakes. */
export const MISTAKES: readonly Mistake[] = [
  ...ACCESS,
  ...CORE,
  ...INCIDENTS,
  ...INGEST,
  ...KEEPING,
  ...KINDS,
  ...MEASURING,
  ...PAGES,
  ...PUSHED,
  ...QUEUE,
  ...REGISTERING,
  ...RELAY,
  ...REQUESTS,
  ...SERVING,
  ...STORAGE,
  ...STREAMS,
  ...TOPOLOGY,
  ...WIRING,
]
