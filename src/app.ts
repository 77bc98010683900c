import { type Context, Elysia, ElysiaStatus } from 'elysia'
import type { Archive } from './archive/archive.ts'
import { versionsWith } from './archive/read-through.ts'
import { checkDecided } from './auth/access.ts'
import type { Access } from './auth/open.ts'
import type { Bus } from './bus/bus.ts'
import type { Channels } from './channels/channels.ts'
import type { Deliverer } from './channels/deliverer.ts'
import type { DeliveryControl, Notifier } from './channels/notifier.ts'
import type { Config } from './config/settings.ts'
import { Problem } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import { noteAddress } from './limits/address.ts'
import { RateLimit } from './limits/rate-limit.ts'
import type { SharedCounts } from './limits/shared-counts.ts'
import type { SharedUpstreamRate } from './limits/shared-upstream-rate.ts'
import type { EgressFetch } from './net/egress.ts'
import { currentRequest } from './observe/context.ts'
import type { Readiness } from './observe/readiness.ts'
import type { Scrape } from './observe/scrape.ts'
import type { SpanCalls } from './otlp/calls.ts'
// biome-ignore lint/suspicious/noShadowRestrictedNames: the proxy that is served, as README and API call it; JavaScript's isn't used here
import type { Proxy } from './proxy/proxy.ts'
import type { Inbox } from './push/inbox.ts'
import type { Queue } from './queue/types.ts'
import type { RetentionDeps } from './retention/retain.ts'
import { auditPages } from './routes/access/audit-pages.tsx'
import { Gate, PROXY_ROUTE, Refused } from './routes/access/gate.ts'
import { keyRoutes } from './routes/access/keys.ts'
import { loginRoutes } from './routes/access/login.tsx'
import { subjectOf } from './routes/access/subject.ts'
import { checkVisible } from './routes/access/visible.ts'
import { channelPages } from './routes/channels/channel-pages.tsx'
import { channelRoutes } from './routes/channels/channels.ts'
import { documentRoutes } from './routes/documents/documents.tsx'
import { headOf } from './routes/http/head.ts'
import { compressPage } from './routes/http/html.ts'
import { requestParts } from './routes/http/part.ts'
import { problemOf } from './routes/http/problem-of.ts'
import { problemResponse } from './routes/http/problems.tsx'
import { incidentPages } from './routes/incidents/incident-pages.tsx'
import { incidentRoutes } from './routes/incidents/incidents.ts'
import { rulePages } from './routes/incidents/rule-pages.tsx'
import type { LivePages } from './routes/live/live-pages.tsx'
import { docsRoutes } from './routes/openapi/docs.tsx'
import type { Route } from './routes/openapi/operations.ts'
import { assetRoutes } from './routes/operation/assets.ts'
import { boardRoutes } from './routes/operation/board.ts'
import { homeRoutes } from './routes/operation/home.tsx'
import { probeRoutes } from './routes/operation/probes.ts'
import { isBareTarget, proxyHandler, proxyRoutes } from './routes/operation/proxy.ts'
import { pulseRoutes } from './routes/operation/pulse.ts'
import { previewPages } from './routes/preview/pages.tsx'
import { previewRoutes } from './routes/preview/preview.ts'
import { pushRoutes } from './routes/push/push.tsx'
import { reportRoutes } from './routes/reports/reports.tsx'
import { type Running, settingsRoutes } from './routes/settings/settings.tsx'
import { archiveRoutes } from './routes/storage/archive.tsx'
import { backupRoutes } from './routes/storage/backup.ts'
import { storageRoutes } from './routes/storage/storage.tsx'
import { bulkRoutes } from './routes/streams/bulk.ts'
import { bulkPages } from './routes/streams/bulk-pages.tsx'
import { cachingRoutes } from './routes/streams/caching.ts'
import { consoleRoutes } from './routes/streams/console.tsx'
import { cpuRoutes } from './routes/streams/cpu-trials.ts'
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
import type { Topology } from './topology/topology.ts'

export interface AppDeps extends StatusDeps {
  streams: Streams
  channels: Channels
  notifier: Notifier
  deliverer: Deliverer
  deliveryControl: DeliveryControl
  archive: Archive
  /** Builds and compares large documents. */
  large: LargeDocuments
  retention: RetentionDeps
  /** Public URL of this Weir without a trailing slash, for links in messages. */
  self(): string
  topology: Topology
  refreshTopology(): Promise<void>
  spanCalls: SpanCalls
  proxy: Proxy
  /** Takes what is pushed. */
  inbox: Inbox
  /** Limits the upstream requests that one client may cause. */
  upstreamRate: SharedUpstreamRate
  /** Limits counted across processes; undefined: each process counts on its own. */
  counts: SharedCounts | undefined
  hub: Hub
  pages: LivePages
  /** Receives the changes made here. */
  bus: Bus
  queues: readonly Promise<Queue>[]
  readiness: Readiness
  scrape: Scrape
  /** Authentication, access and the audit log. */
  access: Access
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  version: string
  config: Config
  running: Running
  /** Makes the outgoing requests to services of the topology. */
  fetch: EgressFetch
  /** Called with every error that is a bug, and without one for an outage. */
  warn(message: string, error?: unknown): void
}

/**
 * The web program: its `fetch` can be mounted by any host that speaks Request and Response.
 * @throws Error if a route has no access decision
 */
export async function createApp(deps: AppDeps) {
  const handleProxy = proxyHandler(deps)
  const imports = importer(deps)
  const { door, keys, cookie, audit } = deps.access
  const { config, proxyOrigins, counts } = deps
  const { publicUrl } = config
  const visibility = new Visibility(deps.db)
  const rateLimit = new RateLimit(config, { shared: counts })
  const gate = new Gate({ door, audit, rateLimit, proxyOrigins, publicUrl })
  const app = guarded({ gate, visibility, handleProxy, config, warn: deps.warn })
    .use(requestParts())
    .use(probeRoutes(deps))
    .use(assetRoutes())
    .use(keyRoutes({ db: deps.db, keys }).use(loginRoutes({ door, cookie, gate })).use(auditPages(deps)))
    .use(transferRoutes({ ...deps, imports }))
    .use(bulkRoutes(deps))
    .use(streamRoutes(deps))
    .use(previewRoutes(deps))
    .use(measureRoutes(deps))
    .use(cachingRoutes(deps).use(cpuRoutes(deps)).use(reportRoutes(deps)))
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
    .use(previewPages(deps))
    .use(importPages({ imports }))
    .use(streamPages(deps))
    .use(twinRoutes({ ...deps, visibility }))
    .use(boardRoutes(deps))
    .use(docsRoutes({ version: deps.version, routes: (): readonly Route[] => app.routes }))
    .use(proxyRoutes(handleProxy).use(pushRoutes({ ...deps, rateLimit })))
  checkDecided(app.routes)
  return app
}

interface Guards extends Pick<AppDeps, 'config' | 'warn'> {
  gate: Gate
  visibility: Visibility
  handleProxy: ReturnType<typeof proxyHandler>
}

/** Hooks for every request and response. */
function guarded({ gate, visibility, handleProxy, config, warn }: Guards) {
  // By default, Elysia's router looks for the path from the eleventh character on, which for a short host may be
  // inside the query.
  return new Elysia({ handler: { standardHostname: false } })
    .onError(async ({ error, code, request, set }) => {
      const answer = await answerTo(error, code, request, { gate, warn })
      // Otherwise Elysia would turn a 200 into a 500: the proxy's refusals are event streams with status 200.
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
    .onTransform(async ({ request, route, params, set }) => {
      const context = currentRequest()
      if (context !== undefined) context.route = route
      Object.assign(set.headers, await gate.enter(request, route, subjectOf(params, undefined)))
    })
    .onTransform(({ request, params }) => checkDecoded(request, params))
    .onTransform(async ({ request, route, params }) => checkVisible(visibility, { request, route, params }))
    .onAfterHandle(({ request, params, response, set }) => {
      const { status, headers } = answeredBy(response, set)
      gate.leave(request, { status, subject: subjectOf(params, headers) })
    })
    .onAfterHandle(({ request, response }) => compressPage(request, response))
    .onAfterHandle(({ request, response }) => headOf(request, response))
}

/** Status and headers of a response, however the handler gave them. */
function answeredBy(response: unknown, set: Context['set']): { status: number; headers: Headers } {
  if (response instanceof Response) return response
  const status = response instanceof ElysiaStatus ? response.code : set.status
  return {
    status: typeof status === 'number' ? status : 200,
    headers: new Headers(set.headers as Record<string, string>),
  }
}

/**
 * The router gives null for a parameter whose percent-encoding is broken. The proxy reads its target from the URL.
 * @throws Problem `not_found`
 */
function checkDecoded(request: Request, params: Record<string, string | null> | undefined): void {
  const isBroken = Object.entries(params ?? {}).some(([name, value]) => value === null && name !== '*')
  if (isBroken) throw noPath(request)
}

function noPath(request: Request): Problem {
  return new Problem('not_found', `No such path: ${new URL(request.url).pathname.slice(0, 200)}.`)
}

async function answerTo(
  error: unknown,
  code: unknown,
  request: Request,
  { gate, warn }: Pick<Guards, 'gate' | 'warn'>,
): Promise<Response> {
  if (error instanceof Refused) return error.response
  try {
    if (code === 'NOT_FOUND') await gate.miss(request)
  } catch (refused) {
    return answerTo(refused, undefined, request, { gate, warn })
  }
  return problemResponse(problemFor(error, code, request, warn), request)
}

function problemFor(error: unknown, code: unknown, request: Request, warn: AppDeps['warn']): Problem {
  if (code === 'NOT_FOUND' && !(error instanceof Problem)) return noPath(request)
  const route = currentRequest()?.route ?? new URL(request.url).pathname
  return problemOf(error, `${request.method} ${route}`, warn)
}
