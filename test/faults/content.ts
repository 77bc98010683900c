import { LOOPBACK, type ServiceSpec } from '../../src/sim/graph/graph.ts'
import { type CountSpec, newestAt } from '../../src/sim/service/counting.ts'

/**
 * How a stream of the upstream behaves.
 * - `numbered`: events with ids; goes on after `Last-Event-ID`
 * - `replaying`: events with ids; ignores `Last-Event-ID`, and begins every connection with the last few events
 * - `plain`: events without ids
 * - `patched`: a document, then patches of it; every connection begins with the whole document
 * - `resumed`: the same with ids, and it goes on after `Last-Event-ID` with the patches alone
 * - `polled`: a JSON document
 * - `silent`: heartbeats only
 */
export type Behaviour = 'numbered' | 'replaying' | 'plain' | 'patched' | 'resumed' | 'polled' | 'silent'

/** One stream of the upstream. */
export interface Source {
  index: number
  name: string
  behaviour: Behaviour
}

/** Time between two numbers of a source, in milliseconds. */
const NUMBER_EVERY_MS = 120
/** Below what Weir takes for silence in these runs, in milliseconds. */
const HEARTBEAT_MS = 1_000
/** Reconnection time that sources ask for, in milliseconds. */
const RETRY_MS = 200

/** What the laboratory is told of each behaviour. */
const COUNTS: Record<Behaviour, CountSpec> = {
  numbered: { tells: 'numbers' },
  replaying: { tells: 'numbers', resume: 'last' },
  plain: { tells: 'numbers', ids: false },
  patched: { tells: 'patches', ids: false },
  resumed: { tells: 'patches' },
  polled: { tells: 'nothing' },
  silent: { tells: 'nothing' },
}

const MIX: readonly Behaviour[] = [
  'numbered',
  'plain',
  'replaying',
  'patched',
  'polled',
  'resumed',
  'numbered',
  'numbered',
  'plain',
  'numbered',
  'polled',
  'replaying',
  'numbered',
  'patched',
]

/** The sources of a run: the last one is silent, the others are a fixed mix. */
export function sources(count: number): Source[] {
  return Array.from({ length: count }, (_, index) => {
    const behaviour = index === count - 1 ? 'silent' : (MIX[index % MIX.length] as Behaviour)
    return { index, name: `${behaviour}-${index}`, behaviour }
  })
}

/** The newest number of every source at an instant. */
export function newestOfAll(startedAt: number, at: number): number {
  return newestAt(startedAt, NUMBER_EVERY_MS, at)
}

/** A source as a service of the laboratory. Every other polled one knows validators. */
export function serviceOf({ index, name, behaviour }: Source, since: number, firstPort: number): ServiceSpec {
  const timing = { everyMs: NUMBER_EVERY_MS, heartbeatMs: HEARTBEAT_MS, retryMs: RETRY_MS }
  return {
    name,
    host: LOOPBACK,
    port: firstPort + index,
    timeoutMs: 1,
    services: [],
    count: { ...COUNTS[behaviour], ...timing, since, validators: index % 2 === 0 },
  }
}
