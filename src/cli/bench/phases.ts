import type { Io } from '../command.ts'
import { type ServerProcess, startServer } from './child.ts'
import type { Phase, Played, PolledPhase, StreamedPhase } from './cost.ts'
import { poll } from './pollers.ts'
import { POLL_WAYS, type PollWay } from './protocol.ts'
import type { Recording } from './recording.ts'
import { Subscribers } from './subscribers.ts'

/** Sockets that are open at once. */
const MAX_CLIENTS = 256
/** Bytes of documents that all clients together hold or are sent at once. */
const MAX_HELD_BYTES = 16_777_216
/** Polls of a replay, and bytes of their documents, unless one client has more: several replays fit into a phase. */
const REPLAY_POLLS = 10_000
const REPLAY_BYTES = 268_435_456
/** The first part of a phase, which warms up and isn't counted. */
const WARM_SHARE = 0.2
/** Heartbeats of a replay for each subscriber. */
const BEATS = 10
/** Time between frames: a pause, and the time that clients on the same machine need to read. */
const FRAME_MS = 5
const FRAME_MS_PER_CLIENT = 0.05
const READ_BYTES_PER_MS = 50_000

interface PhasesOptions {
  subscribers: number
  /** Length of a phase. */
  seconds: number
  progress(text: string): Promise<void>
}

/**
 * Replays a recording in every way, and then again in reverse order, so that a machine that becomes slower or faster
 * meanwhile affects all ways alike.
 * @throws BenchError if a client isn't served correctly
 */
export async function runPhases(io: Io, recording: Recording, options: PhasesOptions): Promise<Phase[]> {
  const { documents, arrayKeys } = recording
  const load = { do: 'load' as const, documents, arrayKeys }
  await using polling = await startServer(io, 'polling', load)
  await using streaming = await startServer(io, 'streaming', load)
  const stage = { io, recording, ...options }
  const ways = [...POLL_WAYS, 'streaming' as const]
  const phases: Phase[] = []
  for (const way of [...ways, ...ways.toReversed()]) {
    await options.progress(`Phase ${phases.length + 1} of ${2 * ways.length}: ${way}`)
    phases.push(
      way === 'streaming' ? await streamPhase(streaming, stage) : await pollPhase(polling, way, stage),
    )
  }
  return phases
}

interface Stage extends PhasesOptions {
  io: Io
  recording: Recording
}

type Once = Pick<Played, 'onceMs'>

async function pollPhase(server: ServerProcess, way: PollWay, stage: Stage): Promise<Phase> {
  const { documents, foundAt, ...recording } = stage.recording
  const polls = recording.polls + 1
  const fitting = Math.floor(Math.min(REPLAY_POLLS, REPLAY_BYTES / largestOf(documents)) / polls)
  const clients = Math.max(1, Math.min(fitting, clientsOf(stage)))
  const sums: PolledPhase & Once = { way, cpuMs: 0, onceMs: 0, polls: 0, notModified: 0 }
  const played = await replayed(stage, async (counts) => {
    await server.ask({ do: 'serve', way, clients, polls, foundAt })
    const last = documents.at(-1) as string
    await poll({ url: server.url, way, clients, polls, last, signal: stage.io.stopped })
    const { cpuMs, onceMs = 0, notModified = 0 } = await server.ask({ do: 'served' })
    if (!counts) return
    sums.cpuMs += cpuMs - onceMs
    sums.onceMs += onceMs
    sums.polls += clients * polls
    sums.notModified += notModified
  })
  return { ...sums, ...played, clients }
}

async function streamPhase(server: ServerProcess, stage: Stage): Promise<Phase> {
  const clients = clientsOf(stage)
  const sums: StreamedPhase & Once = {
    ...{ way: 'streaming', onceMs: 0, sendMs: 0, deliveries: 0 },
    ...{ connectMs: 0, connections: 0, beatMs: 0, heartbeats: 0 },
  }
  const played = await replayed(stage, async (counts) => {
    const { connect, send, beat, events } = await streamed(server, clients, stage)
    if (!counts) return
    const [greetingMs, changesMs] = [connect.onceMs ?? 0, send.onceMs ?? 0]
    sums.onceMs += greetingMs + changesMs
    sums.connectMs += connect.cpuMs - greetingMs
    sums.connections += clients
    sums.sendMs += send.cpuMs - changesMs
    sums.deliveries += events - clients
    sums.beatMs += beat.cpuMs
    sums.heartbeats += clients * BEATS
  })
  return { ...sums, ...played, clients }
}

/** One replay to all subscribers, from their connection to the end of their streams. */
async function streamed(server: ServerProcess, clients: number, { recording, io }: Stage) {
  await server.ask({ do: 'connect', clients })
  const subscribers = new Subscribers({ url: server.url, clients, signal: io.stopped })
  const connect = await Promise.race([server.ask({ do: 'connected' }), subscribers.failed])
  const send = await server.ask({ do: 'send', everyMs: everyMs(clients, recording.changeBytes) })
  const beat = await server.ask({ do: 'beat', times: BEATS, everyMs: everyMs(clients, 0) })
  await server.ask({ do: 'end' })
  const { events } = await subscribers.received(recording.documents.at(-1) as string)
  return { connect, send, beat, events }
}

/** Replays until the phase is over; at least one replay counts. */
async function replayed({ seconds }: Stage, replay: (counts: boolean) => Promise<void>) {
  const begun = performance.now()
  const since = () => performance.now() - begun
  let [replays, tookMs] = [0, 0]
  do await replay(false)
  while (since() < seconds * 1_000 * WARM_SHARE)
  do {
    const from = since()
    await replay(true)
    tookMs += since() - from
    replays++
  } while (since() < seconds * 1_000)
  return { replays, tookMs }
}

function clientsOf({ subscribers, recording }: Stage): number {
  const fitting = Math.floor(MAX_HELD_BYTES / largestOf(recording.documents))
  return Math.max(1, Math.min(subscribers, MAX_CLIENTS, fitting))
}

function largestOf(documents: readonly string[]): number {
  return Math.max(...documents.map((text) => Buffer.byteLength(text)))
}

function everyMs(clients: number, bytes: number): number {
  return FRAME_MS + clients * (FRAME_MS_PER_CLIENT + bytes / READ_BYTES_PER_MS)
}
