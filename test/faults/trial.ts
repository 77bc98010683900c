import { join } from 'node:path'
import { Api } from './api.ts'
import type { SetupName, Theatre } from './faults.ts'
import { APART_MS, judgeConnections, judgeDescriptors, readDescriptors } from './leaks.ts'
import { plan } from './plan.ts'
import type { Mishap } from './program.ts'
import { emptyProof, type Followed, prove } from './proof.ts'
import type { Result } from './report.ts'
import { settle } from './settle.ts'
import { openStage } from './stage.ts'
import { storm } from './storm.ts'
import { Subscriber } from './subscriber.ts'
import type { Injected } from './takeover.ts'

/** Longest wait for every stream to run before the first fault, and after the last. Milliseconds. */
const BEGIN_MS = 30_000
const RECOVER_MS = 75_000
/** No faults for at least this long at the end, in milliseconds. */
const CALM_MS = 15_000
/** Longest wait for the last numbers to be stored, once no more are made, in milliseconds. */
const LAST_NUMBERS_MS = 20_000
/** A stream that keeps up is at most this many numbers behind: two polls' worth, and a slow machine's delay. */
const KEEPS_UP = 20
/** Longest wait for the live subscribers to see the end of the logs, in milliseconds. */
const LIVE_MS = 10_000
const INTERVAL_MS = 500
/** A program that ends while an engine is away, or so soon after, could not have started. Milliseconds. */
const ENGINE_BACK_MS = 15_000

export interface TrialOptions {
  setup: SetupName
  seed: number
  seconds: number
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
  const { setup, seed, seconds, tell } = options
  const mishaps: Mishap[] = []
  const stage = await openStage({ ...options, mishap: (mishap) => mishaps.push(mishap) }, clearing)
  if (stage === undefined) return undefined
  const api = new Api(() => stage.fleet.url)
  const streams = await register(api, stage)
  const newest = () => stage.upstream.newest()
  const begun = await settle(api, streams, { newest, within: KEEPS_UP, deadlineMs: BEGIN_MS })
  if (begun.length > 0) throw new Error(`Not every stream runs before the first fault:\n${begun.join('\n')}`)
  const subscribers = watch(stage, streams)
  clearing.push(async () => subscribers.forEach((subscriber) => void subscriber.close()))

  tell(`${streams.length} streams run; faults for ${seconds} s`)
  const planned = plan(seed, setup, seconds * 1_000)
  const { injected, faults } = await storm(stage, planned, (ms, text) =>
    tell(`+${(ms / 1_000).toFixed(1)} s ${text}`),
  )
  tell('calm')
  const calmAt = Date.now()
  faults.push(...(await settle(api, streams, { newest, within: KEEPS_UP, deadlineMs: RECOVER_MS })))
  tell(`every stream looked at ${((Date.now() - calmAt) / 1_000).toFixed(1)} s after the last fault`)
  await Bun.sleep(Math.max(0, calmAt + CALM_MS - APART_MS - Date.now()))
  const first = readDescriptors(stage.fleet.programs)
  await Bun.sleep(APART_MS)
  const leaks = judgeDescriptors(first, readDescriptors(stage.fleet.programs), streams.length)
  leaks.faults.push(...judgeConnections(await stage.upstream.open(), streams))
  const last = await stage.upstream.hush()
  const still = { newest: () => last, within: 0, deadlineMs: LAST_NUMBERS_MS }
  faults.push(...leaks.faults, ...(await settle(api, streams, still)))

  const testimony = { sent: stage.upstream.sent(), newest: last, injected }
  const proof = emptyProof()
  const ends = new Map<string, number>()
  for (const stream of streams) {
    const log = await api.log(stream.id)
    ends.set(stream.source.name, log.length)
    const before = proof.faults.length
    prove(proof, stream, log, testimony)
    if (options.dump !== undefined && proof.faults.length > before) {
      const lines = log.map((entry) => `${JSON.stringify(entry)}\n`).join('')
      await Bun.write(join(options.dump, `${setup}-${stream.source.name}.ndjson`), lines)
    }
  }
  faults.push(...proof.faults, ...(await proveLive(subscribers, ends)))
  faults.push(...(await stage.fleet.close()).map((how) => `end: ${how} after SIGTERM`))
  faults.push(...unexplained(mishaps, injected))
  const sent = [...testimony.sent.values()].reduce((sum, each) => sum + each.size, 0)
  return { setup, seed, seconds, streams: streams.length, faults, injected, proof, leaks, sent, subscribers }
}

async function register(api: Api, { upstream }: Theatre): Promise<Followed[]> {
  return Promise.all(
    upstream.sources.map(async (source) => {
      const kind = source.behavior === 'polled' ? 'poll' : 'sse'
      const poll = kind === 'poll' ? { intervalMs: INTERVAL_MS } : {}
      const id = await api.register({ url: upstream.urlOf(source), name: source.name, kind, ...poll })
      return { id, source }
    }),
  )
}

/** One subscriber for the first stream of a few behaviors. */
function watch({ fleet }: Theatre, streams: readonly Followed[]): Subscriber[] {
  const watched = ['numbered', 'plain', 'polled'].flatMap(
    (wanted) => streams.find(({ source }) => source.behavior === wanted) ?? [],
  )
  return watched.map(({ id, source }) => {
    const subscriber = new Subscriber(source.name, () => `${fleet.url}/api/streams/${id}/events`)
    subscriber.open()
    return subscriber
  })
}

/** Waits until every subscriber has seen as much as there was when the logs were read. */
async function proveLive(subscribers: readonly Subscriber[], ends: Map<string, number>): Promise<string[]> {
  const isBehind = ({ name, last }: Subscriber) => (last ?? 0) < (ends.get(name) as number)
  const deadline = Date.now() + LIVE_MS
  while (subscribers.some(isBehind) && Date.now() < deadline) await Bun.sleep(100)
  return subscribers.flatMap((subscriber) => {
    const { name, last, faults } = subscriber
    const behind = isBehind(subscriber) ? [`live: ${name} saw up to seq ${last} of ${ends.get(name)}`] : []
    return [...faults, ...behind]
  })
}

/** Ends that no fault explains: of a program that ran, or of one that had everything it needs to start. */
function unexplained(mishaps: readonly Mishap[], injected: readonly Injected[]): string[] {
  const engineWasAway = (atMs: number) =>
    injected.some(
      ({ name, from, to }) => /^(Postgres|Redis)/.test(name) && from <= atMs && atMs <= to + ENGINE_BACK_MS,
    )
  return mishaps
    .filter(({ wasReady, atMs }) => wasReady || !engineWasAway(atMs))
    .map(({ program, what, tail }) => `process: ${program} ${what}; its last words: ${tail.trim()}`)
}
