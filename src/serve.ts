import { version } from '../package.json'
import { createApp } from './app.ts'
import type { Route } from './auth/access.ts'
import { openAccess } from './auth/open.ts'
import { Channels } from './channels/channels.ts'
import type { Config } from './config/settings.ts'
import type { Context } from './context.ts'
import { causeOf } from './errors.ts'
import type { Requests } from './observe/requests.ts'
import { SpanCalls } from './otlp/calls.ts'
import type { Parts } from './parts.ts'
import { isProxyPath } from './proxy/target.ts'
import { Inbox } from './push/inbox.ts'
import { doubtfulTarget } from './routes/http/request-target.ts'
import { withSecurityHeaders } from './routes/http/security-headers.ts'
import { createProbeApp } from './routes/operation/probes.ts'
import { MAX_IMPORT_BYTES } from './routes/transfer/transfer.ts'
import { Streams } from './streams/registry/streams.ts'
import { readDeclaration } from './topology/declared/declaration.ts'
import { OwnOverlay } from './topology/own/overlay.ts'
import { Topology } from './topology/topology.ts'

/**
 * Idle timeout of a connection, in seconds: it is closed if a request isn't complete by then, or if the client reads
 * nothing for that long. Event streams are exempt.
 */
export const IDLE_SECONDS = 60
/**
 * Maximum request body for all routes, in bytes: a form with the largest import file. Each route has its own lower
 * limit.
 */
const MAX_BODY_BYTES = 2 * MAX_IMPORT_BYTES

/** Serves pages, API and proxy. @returns the patterns of all routes */
export async function servePages(
  context: Context,
  parts: Parts,
  idleSeconds: number,
): Promise<readonly Route[]> {
  const { config, warn, now, db, bus, hub, counts, egress, address, closers, observation } = context
  const topology = await topologyParts(context)
  const { token, publicUrl } = config
  const access = openAccess({ db, bus, token, publicUrl, subscribers: hub, counts, now, warn })
  closers.add(() => access.close())
  const { control, mayReach, large } = parts
  const inbox = new Inbox({ db, bus, limits: config, now, warn })
  closers.add(() => inbox.close())
  const app = await createApp({
    ...{ ...parts, ...topology, config, bus, hub, counts, warn, version, access },
    ...{ self: () => address.self, fetch: egress.fetch, inbox },
    running: { ...context.where, worker: context.worker, startedAt: new Date(now()) },
    streams: new Streams({
      ...{ db, control, bus, limits: config, mayReach, large },
      fetch: egress.fetch,
      connect: egress.connect,
    }),
    channels: new Channels({ db, bus, egress, now }),
    queues: context.queues.all,
    proxyOrigins: config.proxyOrigins ?? [],
  })
  const server = listen(app, { ...config, idleSeconds }, observation.requests)
  closers.add(() => server.stop(true))
  address.listening(server.port)
  return app.routes.map(({ method, path }) => ({ method, path }))
}

/** Serves a worker's probes and metrics, if a port is configured. */
export function serveProbes(context: Context, { readiness, scrape }: Parts, idleSeconds: number): void {
  const { config, now, db, bus, counts, warn, log, closers, observation } = context
  if (config.opsPort === undefined) return
  const access = openAccess({ db, bus, token: config.token, counts, now, warn })
  closers.add(() => access.close())
  const app = createProbeApp({ readiness, scrape, now, access, config, warn })
  const server = listen(app, { ...config, idleSeconds, port: config.opsPort }, observation.requests)
  closers.add(() => server.stop(true))
  log.info(`Probes and metrics are served on port ${server.port}`)
}

/** Loads the topology, and adds Weir's own parts to it. */
async function topologyParts({ config, hub, db, worker, now, warn, closers }: Context) {
  const topology = new Topology({ hub, db, writer: worker, now, warn })
  closers.add(() => topology.close())
  await topology.load()
  if (config.topology !== undefined) await declareFrom(config.topology, topology)
  const spanCalls = new SpanCalls({ report: (report) => topology.report(report), warn })
  closers.add(() => spanCalls.close())
  const ownParts = new OwnOverlay({ db, hub, topology, now, warn, hasArchive: config.s3Bucket !== undefined })
  closers.add(() => ownParts.close())
  return { topology, spanCalls, refreshTopology: () => ownParts.refresh() }
}

/** Declares what a file holds. @throws Error with what is wrong with it */
async function declareFrom(path: string, topology: Topology): Promise<void> {
  try {
    await topology.declare(readDeclaration(await Bun.file(path).text()))
  } catch (error) {
    throw new Error(`TOPOLOGY: ${path}: ${causeOf(error)}`, { cause: error })
  }
}

/** The part of an app that a server needs. */
interface Listener {
  server: Bun.Server<unknown> | null
  fetch(request: Request): Response | Promise<Response>
}

function listen(
  app: Listener,
  { port, host, idleSeconds, publicUrl }: Config & { idleSeconds: number },
  requests: Requests,
) {
  const isEncrypted = publicUrl?.startsWith('https:') ?? false
  return Bun.serve({
    port,
    hostname: host,
    // By default, a second server on the port would silently take half the traffic.
    reusePort: false,
    idleTimeout: idleSeconds,
    maxRequestBodySize: MAX_BODY_BYTES,
    // Never Bun's own error page, which shows source code.
    development: false,
    fetch: async (request, server) => {
      const refused = doubtfulTarget(request)
      if (refused !== undefined) return refused
      app.server = server
      const isProxied = isProxyPath(new URL(request.url).pathname)
      return requests.answer(request, async () =>
        withSecurityHeaders(await app.fetch(request), isEncrypted, isProxied),
      )
    },
  })
}
