import type { CpuCost, CpuSaved, CpuTrial } from '../../core/cpu/trial.ts'
import { span } from '../../core/judging/status.ts'
import { percent } from '../../core/units.ts'
import type { Io } from '../command.ts'
import { say } from '../print.ts'
import { table } from '../table.ts'
import { type Comparison, type Counts, compare, heartbeatsOf, isStreamed, type Phase } from './cost.ts'
import { POLL_WAYS, type PollWay } from './protocol.ts'
import { fingerprint, type Recording } from './recording.ts'

const NAMES: Record<PollWay, string> = {
  plain: 'plain polling',
  gzip: 'polling with gzip',
  conditional: 'polling with gzip and validators',
}

/** The result as JSON. */
export type Result = ReturnType<typeof resultOf>

export function resultOf(recording: Recording, phases: readonly Phase[], subscribers: number) {
  const counts: Counts = {
    polls: recording.polls + 1,
    changes: recording.documents.length - 1,
    windowMs: Date.parse(recording.to) - Date.parse(recording.from),
  }
  const comparison = compare(phases, counts, subscribers)
  const { id, name, from, to, documents } = recording
  return {
    stream: { id, name },
    subscribers,
    recorded: {
      ...{ from, to, polls: counts.polls, changes: counts.changes, heartbeats: heartbeatsOf(counts) },
      lastDocument: fingerprint(documents.at(-1) as string),
    },
    polling: Object.fromEntries(
      POLL_WAYS.map((way) => [way, pollingOf(way, phases, counts, comparison)]),
    ) as Record<PollWay, ReturnType<typeof pollingOf>>,
    streaming: streamingOf(phases, counts, comparison),
  }
}

/** What Weir stores of a result, for reports. */
export function trialOf({ subscribers, recorded, polling, streaming }: Result, seconds: number): CpuTrial {
  const { from, to, polls, changes } = recorded
  return {
    ...{ subscribers, seconds, recorded: { from, to, polls, changes } },
    clients: { polling: polling.plain.clients, streaming: streaming.clients },
    polling: {
      plain: costOf(polling.plain),
      gzip: costOf(polling.gzip),
      conditional: costOf(polling.conditional),
    },
    streaming: costOf(streaming),
  }
}

function costOf({ cpuMs, leastMs, mostMs }: CpuCost): CpuCost {
  return { cpuMs, leastMs, mostMs }
}

function pollingOf(way: PollWay, phases: readonly Phase[], counts: Counts, { polling }: Comparison) {
  const own = phases.filter((phase) => phase.way === way)
  const polls = sumOf(own, 'polls')
  const { cost, saved } = polling[way]
  return {
    ...playedOf(own, counts),
    polls,
    notModified: sumOf(own, 'notModified'),
    cpuMsOnce: sumOf(own, 'onceMs') / sumOf(own, 'replays'),
    cpuMsPer1000Polls: (1_000 * sumOf(own, 'cpuMs')) / polls,
    ...cost,
    saved,
  }
}

function streamingOf(phases: readonly Phase[], counts: Counts, { streaming }: Comparison) {
  const own = phases.filter(isStreamed)
  const [deliveries, connections] = [sumOf(own, 'deliveries'), sumOf(own, 'connections')]
  const heartbeats = sumOf(own, 'heartbeats')
  return {
    ...playedOf(own, counts),
    ...{ deliveries, connections, heartbeats },
    cpuMsOnce: sumOf(own, 'onceMs') / sumOf(own, 'replays'),
    cpuMsPer1000Deliveries: (1_000 * sumOf(own, 'sendMs')) / deliveries,
    cpuMsPer1000Connections: (1_000 * sumOf(own, 'connectMs')) / connections,
    cpuMsPer1000Heartbeats: (1_000 * sumOf(own, 'beatMs')) / heartbeats,
    ...streaming,
  }
}

/** How many clients replayed how often, and how many times faster than recorded. */
function playedOf(phases: readonly Phase[], { windowMs }: Counts) {
  const replays = sumOf(phases, 'replays')
  const factor = (windowMs * replays) / sumOf(phases, 'tookMs')
  return { clients: phases[0]?.clients ?? 0, replays, factor }
}

function sumOf(phases: readonly Phase[], field: string): number {
  return phases.reduce((sum, phase) => sum + ((phase as unknown as Record<string, number>)[field] ?? 0), 0)
}

/** Prints a result for people. */
export async function report(io: Io, { stream, subscribers, recorded, polling, streaming }: Result) {
  const { polls, changes, heartbeats, from, to } = recorded
  const windowMs = Date.parse(to) - Date.parse(from)
  await say(
    io,
    `${stream.name}: ${span(windowMs)} from ${from} with ${polls} polls and ${changes} changes, for ${count(subscribers)} clients.`,
  )
  const rows = POLL_WAYS.map((way) => {
    const { cpuMsPer1000Polls, cpuMs, saved } = polling[way]
    return [NAMES[way], `${ms(cpuMsPer1000Polls)} / 1,000 polls`, `${ms(cpuMs)} ms`, savedText(saved)]
  })
  rows.push([
    'streaming',
    `${ms(streaming.cpuMsPer1000Deliveries)} / 1,000 changes`,
    `${ms(streaming.cpuMs)} ms`,
    '',
  ])
  const columns = [
    { title: 'SERVER CPU', shrinks: true },
    ...['MS', 'IN TOTAL', 'STREAMING SAVES'].map((title) => ({ title, alignRight: true })),
  ]
  const cells = rows.map((row) => row.map((text) => ({ text })))
  await io.out.write(table(columns, cells, io.out.columns))
  await say(
    io,
    `Streaming includes ${ms(streaming.cpuMsPer1000Connections)} ms per 1,000 connections, ${ms(streaming.cpuMsPer1000Heartbeats)} ms per 1,000 heartbeats ` +
      `(${count(heartbeats)} per client), and ${ms(streaming.cpuMsOnce)} ms to make the changes once.`,
  )
  await say(
    io,
    `Measured with ${polling.plain.clients} polling and ${streaming.clients} streaming clients, ` +
      `${factor(polling.plain.factor)} and ${factor(streaming.factor)} times as fast as recorded.`,
  )
}

function savedText({ share, least, most, isClear }: CpuSaved): string {
  return isClear ? `${percent(share)} (${percent(least)} to ${percent(most)})` : 'unclear'
}

function ms(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toPrecision(2)
}

function factor(value: number): string {
  return value >= 10 ? count(Math.round(value)) : value.toFixed(1)
}

function count(value: number): string {
  return value.toLocaleString('en')
}
