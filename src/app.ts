import type { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import type { Archive } from './archive/archive.ts'
import { versionsWith } from './archive/read-through.ts'
import { callerOf } from './auth/caller.ts'
import type { Access } from './auth/open.ts'
import { checkScope, scopeOf } from './auth/scopes.ts'
import type { Channels } from './channels/channels.ts'
import type { Deliverer } from './channels/deliverer.ts'
import type { DeliveryControl, Notifier } from './channels/notifier.ts'
import type { Config } from './config.ts'
import { Problem } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { noteAddress } from './limits/address.ts'
import { RateLimit } from './limits/rate-limit.ts'
import type { EgressFetch } from './net/egress.ts'
import { currentRequest } from './observe/context.ts'
import type { Readiness } from './observe/readiness.ts'
import type { Scrape } from './observe/scrape.ts'
import type { SpanCalls } from './otlp/calls.ts'
import type { Proxy } from './proxy/proxy.ts'
import type { RetentionDeps } from './retention/retain.ts'
import { archiveRoutes } from './routes/archive.tsx'
import { assetRoutes } from './routes/assets.ts'
import { auditPages } from './routes/audit-pages.tsx'
import { backupRoutes } from './routes/backup.ts'
import { boardRoutes } from './routes/board.ts'
import { bulkRoutes } from './routes/bulk.ts'
import { bulkPages } from './routes/bulk-pages.tsx'
import { audited, nameCaller } from './routes/caller.ts'
import { channelPages } from './routes/channel-pages.tsx'
import { channelRoutes } from './routes/channels.ts'
import { consoleRoutes } from './routes/console.tsx'
import { docsRoutes } from './routes/docs.tsx'
import { documentRoutes } from './routes/documents.tsx'
import { guard, isOpenPath } from './routes/guard.ts'
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
import { tooMany } from './routes/too-many.ts'
import { topologyRoutes } from './routes/topology.tsx'
import { touchedBy } from './routes/touched.ts'
import { traceRoutes } from './routes/traces.ts'
import { importer, transferRoutes } from './routes/transfer.ts'
import { twinRoutes } from './routes/twins.tsx'
import type { LargeDocuments } from './streams/large/documents.ts'
import type { StatusDeps } from './streams/status.ts'
import type { Streams } from './streams/streams.ts'
import { versionsIn } from './streams/versions.ts'
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

/** The web program: its `fetch` can be mounted by any host that speaks Request and Response. */
export async function createApp(deps: AppDeps) {
  const handleProxy = proxyHandler(deps)
  const rateLimit = new RateLimit(deps.config)
  const importStreams = importer(deps)
  const { door, keys, audit } = deps.access
  const { publicUrl } = deps.config
  return new Elysia()
    .onError(async ({ error, code, request }) => {
      const answer = await problemResponse(problemOf(error, code, request), request)
      const named = (await nameCaller(request, answer)) ?? answer
      return (await dressPage(request, named)) ?? named
    })
    .onRequest(async ({ request, server, set }) => {
      noteAddress(request, server, deps.config.trustProxy ?? [])
      const refused = await guard(request, { ...deps, door, publicUrl })
      const limited = rateLimit.take(request)
      if (limited?.problem !== undefined) return tooMany(request, limited.problem, limited.headers)
      if (refused !== undefined) return refused
      if (limited !== undefined) Object.assign(set.headers, limited.headers)
      return isBareTarget(request) ? handleProxy(request, server) : undefined
    })
    .onBeforeHandle(({ request, route }) => {
      const context = currentRequest()
      if (context !== undefined) context.route = route
      if (!isOpenPath(new URL(request.url).pathname))
        checkScope(callerOf(request), scopeOf(request.method, route))
    })
    .onAfterHandle(({ request, route, params, response, set }) => {
      const status = typeof set.status === 'number' ? set.status : 200
      audited(audit, { request, route, params, response, status })
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
    .use(keyRoutes({ db: deps.db, keys }).use(loginRoutes({ door, publicUrl })).use(auditPages(deps)))
    .use(transferRoutes({ ...deps, importStreams }))
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
    .use(importPages({ importStreams }))
    .use(streamPages(deps))
    .use(twinRoutes(deps))
    .use(boardRoutes(deps.queues))
    .use(docsRoutes(deps.version))
    .use(proxyRoutes(handleProxy))

  function problemOf(error: unknown, code: unknown, request: Request): Problem {
    if (error instanceof Problem) return error
    const path = new URL(request.url).pathname
    if (code === 'NOT_FOUND') return new Problem('not_found', `There is nothing at ${path.slice(0, 200)}.`)
    deps.warn(`${request.method} ${path}`, error)
    return new Problem('internal', 'Something went wrong inside Weir; its log says what.')
  }
}
