import type { Server } from 'bun'
import { FaultHolder } from '../faults/faults.ts'
import type { ServiceSpec } from '../graph/graph.ts'
import { randomFor } from '../random.ts'
import { Reporter } from '../weir/reporter.ts'
import type { Announcement, Reports } from '../weir/reports.ts'
import { untilClosed, type World } from '../world.ts'
import { ServiceApi } from './api.ts'
import { CountingFeed } from './counting.ts'
import { EventFeed, HEARTBEAT_MS } from './events.ts'
import { FeedDocument } from './feed-document.ts'
import { ServiceState } from './state.ts'
import { workOf } from './work.ts'

/** Where Bun itself refuses a body, before it is held in memory. Above the bound that is answered in words. */
const MAX_REQUEST_BYTES = 1_048_576
/**
 * Activations of one service under way at a time; at the bound one is refused with 503. It also ends what services
 * that call each other in a circle would go on with for ever: two of them stay below the 256 requests that Bun has
 * open at a time unless it is told otherwise.
 */
const MAX_IN_FLIGHT = 100
/** A graph file has no circles, and more traffic. */
const MAX_LAB_IN_FLIGHT = 1_000

export interface ServiceOptions {
  /** Its `services` are addresses, `host:port`. */
  spec: ServiceSpec
  seed: number
  reports: Reports
  /** The names of the services that have been started, by address. */
  names: ReadonlyMap<string, string>
  world: World
  /** See {@link CountingFeed}: told of what it sends. */
  onSent?: ((service: string, number: number) => void) | undefined
  /** Ends what the service has under way when it aborts. */
  closing: AbortSignal
}

/** A service that runs. */
export interface Service {
  name: string
  /** `host:port`, as its callers know it. */
  address: string
  url: string
  /** How often its feed may change, in milliseconds; undefined when it has none. */
  feedIntervalMs: number | undefined
  announcement(): Announcement
  /** Ends every connection; call it after `closing` has aborted. */
  close(): Promise<void>
}

/** The service can't listen on its port. The message tells a person what to do. */
export class PortError extends Error {}

/** @throws PortError when its port is taken or not allowed. */
export function startService({
  spec,
  seed,
  reports,
  names,
  onSent,
  world,
  closing,
}: ServiceOptions): Service {
  const { name, services: addresses, lab } = spec
  const state = new ServiceState(name, addresses)
  const faults = new FaultHolder()
  const randomOf = (reader: number) => randomFor(seed, `${name} reader ${reader}`)
  const feed = new EventFeed(world.now(), faults, randomOf)
  const counting =
    spec.count &&
    new CountingFeed({
      name,
      spec: spec.count,
      faults,
      randomOf,
      world,
      onSent: (number) => onSent?.(name, number),
    })
  const document =
    lab?.feed === undefined ? undefined : new FeedDocument(name, lab.feed, randomFor(seed, `${name} feed`))
  const reporter = new Reporter({ name, lab, addresses, names, reports, world, closing })
  const activate = workOf({ spec, seed, faults, state, reporter, world, closing })
  const api = new ServiceApi({
    name,
    activate,
    needsColor: lab === undefined && addresses.length > 0,
    maxInFlight: lab === undefined ? MAX_IN_FLIGHT : MAX_LAB_IN_FLIGHT,
    state,
    feed,
    own: counting,
    document: counting ?? document,
    faults,
    random: randomFor(seed, `${name} documents`),
    world,
    closing,
  })
  const server = listen(spec, api)

  const address = `${reachableHost(spec.host)}:${server.port}`
  const url = `http://${address}`
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
    running.push(every(lab?.feed?.intervalMs ?? 0, change))
  }
  return {
    name,
    address,
    url,
    feedIntervalMs: lab?.feed?.intervalMs,
    announcement: () => reporter.announcement(url),
    close: async () => {
      feed.close()
      counting?.close()
      await server.stop(true)
      await Promise.all(running)
    },
  }
}

function listen({ name, host, port }: ServiceSpec, api: ServiceApi): Server<undefined> {
  try {
    return Bun.serve({
      hostname: host.replace(/^\[|\]$/g, ''),
      port,
      reusePort: false,
      // Else a bug is answered with a page of source code.
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
    return `${where}: the port is taken. Stop the program that holds it, or ${remedy}`
  }
  if (code === 'EACCES') return `${where}: this user may not use the port. Please ${remedy}`
  return `${where}: ${error instanceof Error ? error.message : String(error)}`
}

/** An address that stands for all of a machine's is listened on, but can't be called everywhere. */
function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '[::]' ? '[::1]' : host
}
