import { LOOPBACK, type ServiceSpec } from '../../../src/sim/graph/graph.ts'
import { type CountSpec, newestAt } from '../../../src/sim/service/counting.ts'

/** What an upstream can do about what a reader missed. */
export type Memory =
  /** It sends everything after `Last-Event-ID`. */
  | 'honest'
  /** It does so as far as it remembers, which is a few seconds. */
  | 'forgetful'
  /** It ignores `Last-Event-ID`, and continues with what is new. */
  | 'lying'
  /** It ignores `Last-Event-ID`, and begins every connection with earlier events. */
  | 'replaying'
  /** Its events have no IDs. */
  | 'none'

/** How a kind of upstream counts. */
export interface Class {
  memory: Memory
  count: CountSpec
}

/** Time between two numbers, in milliseconds, unless the class says otherwise. */
const NUMBER_EVERY_MS = 120
/** Below what Weir takes for silence in these runs, in milliseconds. */
const HEARTBEAT_MS = 1_000
/** Reconnection time that sources ask for, in milliseconds. */
const RETRY_MS = 200
/** Numbers that a forgetful upstream keeps: 3.6 s. */
const FEW = 30
/** So rarely, in milliseconds, that a run of a minute doesn't see ten IDs, from which on Weir knows that they count. */
const YOUNG_EVERY_MS = 6_500
/** So often, in milliseconds, that a whole history is thousands of events. */
const OFTEN_MS = 30

const numbers = (memory: Memory, more: Partial<CountSpec> = {}): Class => ({
  memory,
  count: { tells: 'numbers', ...more },
})
const patches = (memory: Memory, more: Partial<CountSpec> = {}): Class => ({
  memory,
  count: { tells: 'patches', ...more },
})
const lying = { resume: 'nothing' } as const

/** Every class of upstream, by the name that its sources have. */
export const CLASSES = {
  counted: numbers('honest'),
  stepped: numbers('honest', { idStep: 2 }),
  uuids: numbers('honest', { uuids: true }),
  forgetful: numbers('forgetful', { keeps: FEW }),
  'forgetful-uuids': numbers('forgetful', { keeps: FEW, uuids: true }),
  lying: numbers('lying', lying),
  'lying-stepped': numbers('lying', { ...lying, idStep: 2 }),
  'lying-uuids': numbers('lying', { ...lying, uuids: true }),
  'lying-young': numbers('lying', { ...lying, everyMs: YOUNG_EVERY_MS }),
  replaying: numbers('replaying', { resume: 'last' }),
  'replaying-uuids': numbers('replaying', { resume: 'last', uuids: true }),
  whole: numbers('replaying', { resume: 'all', everyMs: OFTEN_MS }),
  'whole-uuids': numbers('replaying', { resume: 'all', uuids: true }),
  plain: numbers('none', { ids: false }),
  patched: patches('none', { ids: false }),
  'patched-resuming': patches('honest'),
  'patched-forgetful': patches('forgetful', { keeps: FEW }),
  'patched-lying': patches('lying', lying),
  polled: { memory: 'none', count: { tells: 'nothing' } },
  'polled-plainly': { memory: 'none', count: { tells: 'nothing', validators: false } },
  proxied: { memory: 'none', count: { tells: 'nothing' } },
  silent: { memory: 'none', count: { tells: 'nothing' } },
} satisfies Record<string, Class>

export type Behavior = keyof typeof CLASSES

/** One stream of the upstream. */
export interface Source {
  index: number
  name: string
  behavior: Behavior
  class: Class
}

/** There is one of each of these. */
const SINGLE: readonly Behavior[] = ['proxied', 'silent']

/** Every other class once, and the commonest ones again. */
const MIX: readonly Behavior[] = [
  ...(Object.keys(CLASSES) as Behavior[]).filter((name) => !SINGLE.includes(name)),
  ...(['counted', 'plain', 'lying', 'polled', 'uuids', 'forgetful'] as const),
]

/** Fewer sources would leave out a class. */
export const LEAST_SOURCES = Object.keys(CLASSES).length

/** The sources of a run: a fixed mix. */
export function sources(count: number): Source[] {
  return Array.from({ length: count }, (_, index) => {
    const behavior = SINGLE[count - 1 - index] ?? (MIX[index % MIX.length] as Behavior)
    return { index, name: `${behavior}-${index}`, behavior, class: CLASSES[behavior] }
  })
}

export function isPolled({ behavior }: Source): boolean {
  return behavior.startsWith('polled') || behavior === 'proxied'
}

/** Whether losing a number of it needs no less than a full buffer: it sends again all that was missed. */
export function isHonest(source: Source): boolean {
  return source.class.memory === 'honest'
}

/** The newest number of a source at an instant. */
export function newestOf({ class: { count } }: Source, startedAt: number, at: number): number {
  return newestAt(startedAt, count.everyMs ?? NUMBER_EVERY_MS, at)
}

/** When a source made a number, in milliseconds since the epoch. */
export function bornAt({ class: { count } }: Source, startedAt: number, number: number): number {
  return startedAt + number * (count.everyMs ?? NUMBER_EVERY_MS)
}

/** A source as a simulated service. */
export function serviceOf(
  { index, name, class: { count } }: Source,
  since: number,
  firstPort: number,
): ServiceSpec {
  const timing = { everyMs: NUMBER_EVERY_MS, heartbeatMs: HEARTBEAT_MS, retryMs: RETRY_MS }
  return {
    name,
    host: LOOPBACK,
    port: firstPort + index,
    timeoutMs: 1,
    services: [],
    count: { ...timing, ...count, since },
  }
}
