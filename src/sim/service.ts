import type { Server } from 'bun'
import { type Activate, leaf, node } from './activation.ts'
import { ServiceApi } from './api.ts'
import { callService } from './downstream.ts'
import { EventFeed, HEARTBEAT_MS } from './events.ts'
import type { ServiceSpec } from './graph.ts'
import { type Random, randomFor } from './random.ts'
import { Reporter } from './reporter.ts'
import { ServiceState } from './state.ts'
import type { WeirClient } from './weir-client.ts'
import { untilClosed, type World } from './world.ts'

/** Where Bun itself refuses a body, before it is held in memory. Above the bound that is answered in words. */
const MAX_REQUEST_BYTES = 1_048_576

export interface ServiceOptions {
  /** Its `services` are addresses, `host:port`. */
  spec: ServiceSpec
  seed: number
  client: WeirClient
  world: World
  /** Ends what the service has under way when it aborts. */
  closing: AbortSignal
}

/** A service that runs. */
export interface Service {
  name: string
  /** `host:port`, as its callers know it. */
  address: string
  url: string
  /** Ends every connection; call it after `closing` has aborted. */
  close(): Promise<void>
}

/** The service can't listen on its port. The message tells a person what to do. */
export class PortError extends Error {}

/** @throws PortError when its port is taken or not allowed. */
export function startService({ spec, seed, client, world, closing }: ServiceOptions): Service {
  const { name, services: addresses } = spec
  const state = new ServiceState(name, addresses)
  const feed = new EventFeed(world.now())
  const reporter = new Reporter({ name, addresses, client, world, closing })
  const activate = behaviour(spec, { state, reporter, world, closing, random: randomFor(seed, name) })
  const needsColor = addresses.length > 0
  const server = listen(spec, new ServiceApi({ name, activate, needsColor, state, feed, world, closing }))

  const address = `${reachableHost(spec.host)}:${server.port}`
  const url = `http://${address}`
  const running = Promise.all([
    reporter.run(url),
    untilClosed(closing, async () => {
      for (;;) {
        await world.sleep(HEARTBEAT_MS, closing)
        feed.heartbeat()
      }
    }),
  ])
  return {
    name,
    address,
    url,
    close: async () => {
      feed.close()
      await server.stop(true)
      await running
    },
  }
}

function behaviour(
  { timeoutMs, services: addresses }: ServiceSpec,
  parts: { state: ServiceState; reporter: Reporter; world: World; closing: AbortSignal; random: Random },
): Activate {
  const { state, reporter, world, closing, random } = parts
  const show = (color: string) => reporter.show(color)
  const sleep = (ms: number) => world.sleep(ms, closing)
  if (addresses.length === 0) return leaf({ timeoutMs, show, sleep, random })

  const call = async (address: string, body: string) => {
    const startedAt = world.now()
    const status = await callService(address, body, { world, timeoutMs, closing })
    state.called(address, status)
    reporter.called(address, status, Math.max(0, Math.round(world.now() - startedAt)))
    return status
  }
  return node({ addresses, call, show, sleep })
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
