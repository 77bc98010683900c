import { join } from 'node:path'
import type { LoggedEntry } from '../support/weir.ts'
import { Api } from './api.ts'
import { Audience } from './audience.ts'
import { APART_MS, judgeConnections, judgeDescriptors, type Leaks, readDescriptors } from './checks/leaks.ts'
import { emptyProof, type Followed, type Proof, prove, type Testimony } from './checks/proof.ts'
import { settle } from './checks/settle.ts'
import type { SetupName, Theatre } from './injection/kind.ts'
import { plan } from './injection/plan.ts'
import { storm } from './injection/storm.ts'
import type { Mishap } from './program.ts'
import type { Result } from './report.ts'
import { openStage } from './stage.ts'
import { isPolled } from './upstream/content.ts'

/** Longest wait for every stream to run before the first fault, and after the last. Milliseconds. */
const BEGIN_MS = 30_000
const RECOVER_MS = 75_000
/** No faults for at least this long at the end, in milliseconds. */
const CALM_MS = 15_000
/** Longest wait for the last numbers to be stored, once no more are made, in milliseconds. */
const LAST_NUMBERS_MS = 20_000
/** A stream that keeps up is at most this many numbers behind: two polls' worth, and a slow machine's delay. */
const KEEPS_UP = 20
const INTERVAL_MS = 500

export interface TrialOptions {
  setup: SetupName
  seed: number
  seconds: number
  atOnce: number
  streams: number
  logFile: string | undefined
  dump: string | undefined
  tell(line: string): void
}

/** Runs one set-up from its start to its proof; undefined where it can't run here. */
export async function runTrial(
  options: TrialOptions,
  clearing: (() => Promise<unknown>)[],
): Promise<Result | undefined> {
  const { setup, seed, seconds, atOnce, tell } = options
  const mishaps: Mishap[] = []
  const stage = await openStage({ ...options, mishap: (mishap) => mishaps.push(mishap) }, clearing)
  if (stage === undefined) return undefined
  const { fleet, upstream } = stage
  const api = new Api(() => fleet.urls[0] as string)
  const streams = await register(api, stage)
  const newest = upstream.newest.bind(upstream)
  const begun = await settle(api, streams, { newest, within: KEEPS_UP, deadlineMs: BEGIN_MS })
  if (begun.length > 0) throw new Error(`Not every stream runs before the first fault:\n${begun.join('\n')}`)
  const audience = new Audience(stage, streams)
  clearing.push(() => audience.close())

  tell(`${streams.length} streams run; faults for ${seconds} s`)
  const planned = plan({ seed, setup, durationMs: seconds * 1_000, atOnce })
  const { injected, faults } = await storm(stage, planned, (ms, text) =>
    tell(`+${(ms / 1_000).toFixed(1)} s ${text}`),
  )
  tell('calm')
  const calmAt = Date.now()
  faults.push(...(await settle(api, streams, { newest, within: KEEPS_UP, deadlineMs: RECOVER_MS })))
  tell(`every stream looked at ${((Date.now() - calmAt) / 1_000).toFixed(1)} s after the last fault`)
  const leaks = await lookForLeaks(stage, streams, calmAt)
  await upstream.hush()
  faults.push(
    ...leaks.faults,
    ...(await settle(api, streams, { newest, within: 0, deadlineMs: LAST_NUMBERS_MS })),
  )

  const logs = await readLogs(api, streams)
  // Polls go on, so what the logs have was answered before the journal is read.
  const { startedAt } = upstream
  const testimony = { startedAt, journal: upstream.journal(), newest, injected, logsReadAt: logs.at }
  const proof = await proveAll(streams, logs.entries, testimony, options)
  const ends = new Map(streams.map(({ source }, index) => [source.name, logs.entries[index]?.length ?? 0]))
  faults.push(...proof.faults, ...(await audience.prove(ends)))
  faults.push(...(await fleet.close()).map((how) => `end: ${how} after SIGTERM`), ...mishaps.map(describe))
  const sent = [...testimony.journal.sent.values()].reduce((sum, each) => sum + each.size, 0)
  const readers = audience.all
  return {
    setup,
    seed,
    seconds,
    atOnce,
    streams: streams.length,
    faults,
    injected,
    proof,
    leaks,
    sent,
    readers,
  }
}

async function register(api: Api, { upstream }: Theatre): Promise<Followed[]> {
  return Promise.all(
    upstream.followed.map(async (source) => {
      const kind = isPolled(source) ? 'poll' : 'sse'
      const poll = kind === 'poll' ? { intervalMs: INTERVAL_MS } : {}
      const id = await api.register({ url: upstream.urlOf(source), name: source.name, kind, ...poll })
      return { id, source }
    }),
  )
}

/** Once it has been calm for a while, two readings show whether a process leaks descriptors. */
async function lookForLeaks(
  { fleet, upstream }: Theatre,
  streams: readonly Followed[],
  calmAt: number,
): Promise<Leaks> {
  await Bun.sleep(Math.max(0, calmAt + CALM_MS - APART_MS - Date.now()))
  const first = readDescriptors(fleet.programs)
  await Bun.sleep(APART_MS)
  const leaks = judgeDescriptors(first, readDescriptors(fleet.programs), streams.length)
  leaks.faults.push(...judgeConnections(await upstream.open(), streams))
  return leaks
}

/** Every log in the order of the streams, and when the first one was read. */
async function readLogs(
  api: Api,
  streams: readonly Followed[],
): Promise<{ entries: LoggedEntry[][]; at: number }> {
  const at = Date.now()
  const entries: LoggedEntry[][] = []
  for (const { id } of streams) entries.push(await api.log(id))
  return { entries, at }
}

async function proveAll(
  streams: readonly Followed[],
  logs: readonly LoggedEntry[][],
  testimony: Testimony,
  { dump, setup }: TrialOptions,
): Promise<Proof> {
  const proof = emptyProof()
  for (const [index, stream] of streams.entries()) {
    const log = logs[index] as LoggedEntry[]
    const before = proof.faults.length
    prove(proof, stream, log, testimony)
    if (dump === undefined || proof.faults.length === before) continue
    const lines = log.map((entry) => `${JSON.stringify(entry)}\n`).join('')
    await Bun.write(join(dump, `${setup}-${stream.source.name}.ndjson`), lines)
  }
  return proof
}

function describe({ program, what, tail, atMs }: Mishap): string {
  const at = new Date(atMs).toISOString().slice(11, 23)
  return `process: ${program} ${what} at ${at}; its last words: ${tail.trim()}`
}
