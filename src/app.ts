import type { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import type { Archive } from './archive/archive.ts'
import { versionsWith } from './archive/read-through.ts'
import { checkDecided } from './auth/access.ts'
import type { Access } from './auth/open.ts'
import type { Channels } from './channels/channels.ts'
import type { Deliverer } from './channels/deliverer.ts'
import type { DeliveryControl, Notifier } from './channels/notifier.ts'
import type { Config } from './config.ts'
import { Problem } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { noteAddress } from './limits/address.ts'
import { RateLimit } from './limits/rate-limit.ts'
import type { UpstreamRate } from './limits/upstream-rate.ts'
import type { EgressFetch } from './net/egress.ts'
import { currentRequest } from './observe/context.ts'
import type { Readiness } from './observe/readiness.ts'
import type { Scrape } from './observe/scrape.ts'
import type { SpanCalls } from './otlp/calls.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import type { Proxy } from './proxy/proxy.ts'
import type { RetentionDeps } from './retention/retain.ts'
import { archiveRoutes } from './routes/archive.tsx'
import { assetRoutes } from './routes/assets.ts'
import { auditPages } from './routes/audit-pages.tsx'
import { backupRoutes } from './routes/backup.ts'
import { boardRoutes } from './routes/board.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { bulkPages } from './routes/bulk-pages.tsx'
import { nameCaller, subjectOf } from './routes/caller.ts'
import { channelPages } from './routes/channel-pages.tsx'
import { channelRoutes } from './routes/channels.ts'
import { consoleRoutes } from './routes/console.tsx'
import { docsRoutes } from './routes/docs.tsx'
import { documentRoutes } from './routes/documents.tsx'
import { Gate, PROXY_ROUTE, Refused } from './routes/gate.ts'
import { headOf } from './routes/head.ts'
import { homeRoutes } from './routes/home.tsx'
import { compressPage } from './routes/html.ts'
import { importPages } from './routes/import-pages.tsx'
import { incidentPages } from './routes/incident-pages.tsx'
import { incidentRoutes } from './routes/incidents.ts'
import { keyRoutes } from './routes/keys.ts'
import type { LivePages } from './routes/live-pages.tsx'
import { loginRoutes } from './routes/login.tsx'
import { lookRoutes } from './routes/look.ts'
import { lookPages } from './routes/look-pages.tsx'
import { measureRoutes } from './routes/measures.ts'
import { dressPage } from './routes/preferences.ts'
import { probeRoutes } from './routes/probes.ts'
import { problemResponse } from './routes/problems.tsx'
import { isBareTarget, proxyHandler, proxyRoutes } from './routes/proxy.ts'
import { pulseRoutes } from './routes/pulse.ts'
import { rulePages } from './routes/rule-pages.tsx'
import { type Running, settingsRoutes } from './routes/settings.tsx'
import { storageRoutes } from './routes/storage.tsx'
import { streamPages } from './routes/stream-pages.tsx'
import { streamRoutes } from './routes/streams.ts'
import { topologyRoutes } from './routes/topology.tsx'
import { touchedBy } from './routes/touched.ts'
import { traceRoutes } from './routes/traces.ts'
import { importer, transferRoutes } from './routes/transfer.ts'
import { twinRoutes } from './routes/twins.tsx'
import { checkVisible } from './routes/visible.ts'
import type { LargeDocuments } from './streams/large/documents.ts'
import type { StatusDeps } from './streams/status.ts'
import type { Streams } from './streams/streams.ts'
import { versionsIn } from './streams/versions.ts'
import { Visibility } from './streams/visibility.ts'
import type { Subject } from './topics.ts'
import type { Topology } from './topology/topology.ts'

export interface AppDeps extends StatusDeps {
  streams: Streams
  channels: Channels
  notifier: Notifier
  deliverer: Deliverer
  deliveryControl: DeliveryControl
  archive: Archive
  /** Builds and compares documents that are large. */
  large: LargeDocuments
  retention: RetentionDeps
  /** Where people reach this Weir, without a slash at the end: for links in messages. */
  self(): string
  topology: Topology
  refreshTopology(): Promise<void>
  spanCalls: SpanCalls
  proxy: Proxy
  /** How often somebody may make Weir ask others. */
  upstreamRate: UpstreamRate
  hub: Hub
  pages: LivePages
  /** Tells the open pages of every process what may be different now. */
  touched(subject: Subject): void
  watch(streamId: string, seq: number): void
  queues: readonly Promise<Queue>[]
  readiness: Readiness
  scrape: Scrape
  /** Who gets in, and what they did. */
  access: Access
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  version: string
  config: Config
  running: Running
  /** The way out, for what people send through the services of the topology. */
  fetch: EgressFetch
  /** Told of every error that is a bug. */
  warn(message: string, error: unknown): void
}

/**
 * The web program: its `fetch` can be mounted by any host that speaks Request and Response.
 * @throws Error where a route was added without a decision on who may use it
 */
export async function createApp(deps: AppDeps) {
  const handleProxy = proxyHandler(deps)
  const imports = importer(deps)
  const { door, keys, cookie, audit } = deps.access
  const { config, proxyOrigins } = deps
  const { publicUrl } = config
  const visibility = new Visibility(deps.db)
  const gate = new Gate({ door, audit, rateLimit: new RateLimit(config), proxyOrigins, publicUrl })
  // By default its router takes the path from the eleventh character on, which of a short host is in the query.
  const app = new Elysia({ handler: { standardHostname: false } })
    .onError(async ({ error, code, request, set }) => {
      const answer = await answerTo(error, code, request)
      // Without it, an answer of 200 becomes one of 500: of the proxy, a refusal is an event stream that says so.
      set.status = answer.status
      gate.leave(request, { status: answer.status, subject: undefined })
      return answer
    })
    .onRequest(async ({ request, server }) => {
      noteAddress(request, server, config.trustProxy ?? [])
      gate.arrive(request)
      if (!isBareTarget(request)) return undefined
      await gate.enter(request, PROXY_ROUTE)
      return handleProxy(request, server)
    })
    .onBeforeHandle(async ({ request, route, params, set }) => {
      const context = currentRequest()
      if (context !== undefined) context.route = route
      Object.assign(set.headers, await gate.enter(request, route, subjectOf(params, undefined)))
    })
    .onBeforeHandle(({ request, route, params }) => checkVisible(visibility, { request, route, params }))
    .onAfterHandle(({ request, params, response, set }) => {
      const status = typeof set.status === 'number' ? set.status : 200
      const answered = response instanceof Response ? response.status : status
      gate.leave(request, { status: answered, subject: subjectOf(params, response) })
    })
    .onAfterHandle(({ request }) => {
      const subject = touchedBy(request)
      if (subject !== undefined) deps.touched(subject)
    })
    .onAfterHandle(async ({ request, response }) => {
      const named = await nameCaller(request, response)
      const dressed = (await dressPage(request, named ?? response)) ?? named
      return (await compressPage(request, dressed ?? response)) ?? dressed
    })
    .onAfterHandle(({ request, response }) => headOf(request, response))
    .use(probeRoutes(deps))
    .use(assetRoutes())
    .use(keyRoutes({ db: deps.db, keys }).use(loginRoutes({ door, cookie, gate })).use(auditPages(deps)))
    .use(transferRoutes({ ...deps, imports }))
    .use(bulkRoutes(deps))
    .use(streamRoutes(deps))
    .use(lookRoutes(deps))
    .use(measureRoutes(deps))
    .use(documentRoutes({ ...deps, versions: versionsWith(versionsIn(deps.db), deps.archive.reader) }))
    .use(archiveRoutes(deps))
    .use(channelRoutes(deps))
    .use(channelPages(deps))
    .use(incidentRoutes(deps))
    .use(incidentPages(deps))
    .use(rulePages(deps))
    .use(storageRoutes(deps).use(backupRoutes(deps)))
    .use(settingsRoutes({ ...deps, keys }))
    .use(topologyRoutes(deps))
    .use(traceRoutes(deps))
    .use(homeRoutes(deps))
    .use(pulseRoutes(deps))
    .use(consoleRoutes(deps))
    .use(bulkPages(deps))
    .use(lookPages(deps))
    .use(importPages({ imports }))
    .use(streamPages(deps))
    .use(twinRoutes({ ...deps, visibility }))
    .use(boardRoutes(deps.queues))
    .use(docsRoutes(deps.version))
    .use(proxyRoutes(handleProxy))
  checkDecided(app.routes)
  return app

  async function answerTo(error: unknown, code: unknown, request: Request): Promise<Response> {
    if (error instanceof Refused) return error.response
    try {
      if (code === 'NOT_FOUND') await gate.miss(request)
    } catch (refused) {
      return answerTo(refused, undefined, request)
    }
    const answer = await problemResponse(problemOf(error, code, request), request)
    const named = (await nameCaller(request, answer)) ?? answer
    return (await dressPage(request, named)) ?? named
  }

  function problemOf(error: unknown, code: unknown, request: Request): Problem {
    if (error instanceof Problem) return error
    const path = new URL(request.url).pathname
    if (code === 'NOT_FOUND') return new Problem('not_found', `There is nothing at ${path.slice(0, 200)}.`)
    deps.warn(`${request.method} ${path}`, error)
    return new Problem('internal', 'Something went wrong inside Weir; its log says what.')
  }
}
