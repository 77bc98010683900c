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
import { auditPages } from './routes/access/audit-pages.tsx'
import { nameCaller, subjectOf } from './routes/access/caller.ts'
import { Gate, PROXY_ROUTE, Refused } from './routes/access/gate.ts'
import { keyRoutes } from './routes/access/keys.ts'
import { loginRoutes } from './routes/access/login.tsx'
import { checkVisible } from './routes/access/visible.ts'
import { channelPages } from './routes/channels/channel-pages.tsx'
import { channelRoutes } from './routes/channels/channels.ts'
import { documentRoutes } from './routes/documents/documents.tsx'
import { headOf } from './routes/http/head.ts'
import { compressPage } from './routes/http/html.ts'
import { problemResponse } from './routes/http/problems.tsx'
import { touchedBy } from './routes/http/touched.ts'
import { incidentPages } from './routes/incidents/incident-pages.tsx'
import { incidentRoutes } from './routes/incidents/incidents.ts'
import { rulePages } from './routes/incidents/rule-pages.tsx'
import type { LivePages } from './routes/live/live-pages.tsx'
import { docsRoutes } from './routes/openapi/docs.tsx'
import { assetRoutes } from './routes/operation/assets.ts'
import { boardRoutes } from './routes/operation/board.ts'
import { homeRoutes } from './routes/operation/home.tsx'
import { probeRoutes } from './routes/operation/probes.ts'
import { isBareTarget, proxyHandler, proxyRoutes } from './routes/operation/proxy.ts'
import { pulseRoutes } from './routes/operation/pulse.ts'
import { lookPages } from './routes/preview/pages.tsx'
import { lookRoutes } from './routes/preview/preview.ts'
import { dressPage } from './routes/settings/preferences.ts'
import { type Running, settingsRoutes } from './routes/settings/settings.tsx'
import { archiveRoutes } from './routes/storage/archive.tsx'
import { backupRoutes } from './routes/storage/backup.ts'
import { storageRoutes } from './routes/storage/storage.tsx'
import { bulkRoutes } from './routes/streams/bulk.ts'
import { bulkPages } from './routes/streams/bulk-pages.tsx'
import { consoleRoutes } from './routes/streams/console.tsx'
import { measureRoutes } from './routes/streams/measures.ts'
import { streamPages } from './routes/streams/stream-pages.tsx'
import { streamRoutes } from './routes/streams/streams.ts'
import { topologyRoutes } from './routes/topology/topology.tsx'
import { traceRoutes } from './routes/topology/traces.ts'
import { importPages } from './routes/transfer/import-pages.tsx'
import { importer, transferRoutes } from './routes/transfer/transfer.ts'
import { twinRoutes } from './routes/twins/twins.tsx'
import { versionsIn } from './streams/documents/versions.ts'
import type { LargeDocuments } from './streams/large/documents.ts'
import type { Streams } from './streams/registry/streams.ts'
import { Visibility } from './streams/registry/visibility.ts'
import type { StatusDeps } from './streams/status/status.ts'
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
