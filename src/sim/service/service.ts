import type { Server } from 'bun'
import { FaultHolder } from '../faults/faults.ts'
import type { ServiceSpec } from '../graph/graph.ts'
import { randomFor } from '../random.ts'
import { Reporter } from '../weir/reporter.ts'
import type { Announcement, Reports } from '../weir/reports.ts'
import { type SimWorld, untilClosed } from '../world.ts'
import { type FeedAnswer, ServiceApi } from './api.ts'
import { CountingFeed } from './counting.ts'
import { EventFeed, HEARTBEAT_MS } from './events.ts'
import { FeedDocument } from './feed-document.ts'
import { ServiceState } from './state.ts'
import { workOf } from './work.ts'

/** Where Bun itself rejects a body before it is in memory. Smaller bodies over the limit get a message. */
const MAX_REQUEST_BYTES = 1_048_576
/**
 * Concurrent activations of one service; further ones get 503. It also stops services that call each other in a
 * cycle; two of them stay below the 256 concurrent requests that Bun allows by default.
 */
const MAX_IN_FLIGHT = 100
/** A graph file has no cycles, and more traffic. */
const MAX_LAB_IN_FLIGHT = 1_000

export interface ServiceOptions {
  /** Its `services` are addresses, `host:port`. */
  spec: ServiceSpec
  seed: number
  reports: Reports
  /** Names of the started services, by address. */
  names: ReadonlyMap<string, string>
  world: SimWorld
  /** See {@link CountingFeed}: called with what it sends. */
  onSent?: ((service: string, number: number) => void) | undefined
  /** Called with every answer of its `/feed`. */
  onAnswer?: ((service: string, answer: FeedAnswer) => void) | undefined
  /** Ends the service's work in progress when it aborts. */
  closing: AbortSignal
}

/** A running service. */
export interface RunningService {
  name: string
  /** `host:port`, as its callers know it. */
  address: string
  url: string
  /** How often its feed may change, in milliseconds; undefined if it has none. */
  feedIntervalMs: number | undefined
  announcement(): Announcement
  /** Closes every connection; call it after `closing` has aborted. */
  close(): Promise<void>
}

/** The service can't listen on its port. The message says what to do. */
export class PortError extends Error {}

/** @throws PortError if its port is taken or not allowed. */
export function startService(options: ServiceOptions): RunningService {
  const { spec } = options
  const parts = partsOf(options)
  const { reporter, feed, counting, api } = parts
  const server = listen(spec, api)
  const address = `${reachableHost(spec.host)}:${server.port}`
  const url = `http://${address}`
  const running = run(parts, options)
  return {
    name: spec.name,
    address,
    url,
    feedIntervalMs: spec.lab?.feed?.intervalMs,
    announcement: () => reporter.announcement(url),
    close: async () => {
      feed.close()
      counting?.close()
      await server.stop(true)
      await Promise.all(running)
    },
  }
}

type Parts = ReturnType<typeof partsOf>

function partsOf({ spec, seed, reports, names, onSent, onAnswer, world, closing }: ServiceOptions) {
  const { name, services: addresses, lab } = spec
  const state = new ServiceState(name, addresses)
  const faults = new FaultHolder()
  const randomOf = (reader: number) => randomFor(seed, `${name} reader ${reader}`)
  const feed = new EventFeed(world.now(), faults, randomOf)
  const count = (number: number) => onSent?.(name, number)
  const counting =
    spec.count && new CountingFeed({ name, spec: spec.count, faults, randomOf, world, onSent: count })
  const document = lab?.feed && new FeedDocument(name, lab.feed, randomFor(seed, `${name} feed`))
  const reporter = new Reporter({ name, lab, addresses, names, reports, world, closing })
  const api = new ServiceApi({
    name,
    activate: workOf({ spec, seed, faults, state, reporter, world, closing }),
    needsColor: lab === undefined && addresses.length > 0,
    maxInFlight: lab === undefined ? MAX_IN_FLIGHT : MAX_LAB_IN_FLIGHT,
    state,
    feed,
    own: counting,
    document: counting ?? document,
    onAnswer: (answer) => onAnswer?.(name, answer),
    faults,
    random: randomFor(seed, `${name} documents`),
    world,
    closing,
  })
  return { feed, counting, document, reporter, api }
}

/** What a service does by the clock until it closes. */
function run(
  { feed, counting, document, reporter }: Parts,
  { spec, world, closing }: ServiceOptions,
): Promise<void>[] {
  const every = (intervalMs: number, act: () => void) =>
    untilClosed(closing, async () => {
      for (;;) {
        await world.sleep(intervalMs, closing)
        act()
      }
    })
  const running = [reporter.learnNames(), every(HEARTBEAT_MS, () => feed.heartbeat())]
  if (counting !== undefined) running.push(untilClosed(closing, () => counting.run(closing)))
  if (document !== undefined) {
    const change = () => {
      const changed = document.tick()
      if (changed !== undefined) feed.publish('changed', changed)
    }
    running.push(every(spec.lab?.feed?.intervalMs ?? 0, change))
  }
  return running
}

function listen({ name, host, port }: ServiceSpec, api: ServiceApi): Server<undefined> {
  try {
    return Bun.serve({
      hostname: host.replace(/^\[|\]$/g, ''),
      port,
      reusePort: false,
      // Otherwise Bun answers a bug with a page of source code.
      development: false,
      maxRequestBodySize: MAX_REQUEST_BYTES,
      fetch: (request, server) => api.fetch(request, server),
    })
  } catch (error) {
    throw new PortError(whyNot(name, host, port, error), { cause: error })
  }
}

function whyNot(name: string, host: string, port: number, error: unknown): string {
  const where = `${name} can't listen on port ${port} of ${host}`
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const remedy = 'choose another with --port-base or --listen.'
  if (code === 'EADDRINUSE') {
    return `${where}: the port is taken. Stop the program that uses it, or ${remedy}`
  }
  if (code === 'EACCES') return `${where}: this user is not allowed to use the port. Please ${remedy}`
  return `${where}: ${error instanceof Error ? error.message : String(error)}`
}

/** A wildcard address can be listened on, but not everywhere be called. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '[::]' ? '[::1]' : host
}
