import { type CpuCost, type CpuSaved, cpuSaved } from '../../core/cpu/trial.ts'
import { POLL_WAYS, type PollWay } from './protocol.ts'

/** How often an idle stream sends a heartbeat, in milliseconds: as Weir's. */
const HEARTBEAT_MS = 15_000

/** What a server used for polls, in one phase. */
export interface PolledPhase {
  way: PollWay
  /** For answering; without what is needed once. */
  cpuMs: number
  polls: number
  notModified: number
}

/** What a server used for subscribers, in one phase. */
export interface StreamedPhase {
  way: 'streaming'
  /** For sending; without what is needed once. */
  sendMs: number
  deliveries: number
  connectMs: number
  connections: number
  beatMs: number
  heartbeats: number
}

export type Phase = (PolledPhase | StreamedPhase) & Played

/** How much was replayed. */
export interface Played {
  clients: number
  replays: number
  /** CPU that is needed once per replay, for any number of clients: making changes, encoding, compressing. */
  onceMs: number
  /** Time of the replays that count, in milliseconds. */
  tookMs: number
}

/** What was recorded, in numbers. */
export interface Counts {
  /** Polls of one client, the first included. */
  polls: number
  changes: number
  /** Recorded time. */
  windowMs: number
}

export interface Comparison {
  polling: Record<PollWay, { cost: CpuCost; saved: CpuSaved }>
  streaming: CpuCost
}

/** Compares what n clients would have cost. */
export function compare(phases: readonly Phase[], counts: Counts, subscribers: number): Comparison {
  const streaming = costOf(phases.filter(isStreamed).map((phase) => streamedMs(phase, counts, subscribers)))
  const ways = POLL_WAYS.map((way) => {
    const own = phases.filter((phase) => phase.way === way) as (PolledPhase & Played)[]
    const cost = costOf(own.map((phase) => polledMs(phase, counts, subscribers)))
    return [way, { cost, saved: cpuSaved(streaming, cost) }] as const
  })
  return { polling: Object.fromEntries(ways) as Comparison['polling'], streaming }
}

/** Heartbeats of one subscriber in the recorded time. */
export function heartbeatsOf({ windowMs }: Pick<Counts, 'windowMs'>): number {
  return Math.floor(windowMs / HEARTBEAT_MS)
}

export function isStreamed<P extends Phase>(phase: P): phase is P & StreamedPhase {
  return phase.way === 'streaming'
}

function polledMs(phase: PolledPhase & Played, counts: Counts, clients: number): number {
  return phase.onceMs / phase.replays + (phase.cpuMs / phase.polls) * counts.polls * clients
}

/** One connection per subscriber, every change made once and delivered to all, and heartbeats. */
function streamedMs(phase: StreamedPhase & Played, counts: Counts, subscribers: number): number {
  const each =
    phase.connectMs / phase.connections +
    (counts.changes * phase.sendMs) / phase.deliveries +
    (heartbeatsOf(counts) * phase.beatMs) / phase.heartbeats
  return phase.onceMs / phase.replays + subscribers * each
}

function costOf(all: readonly number[]): CpuCost {
  const cpuMs = all.reduce((sum, each) => sum + each, 0) / all.length
  return { cpuMs, leastMs: Math.min(...all), mostMs: Math.max(...all) }
}
