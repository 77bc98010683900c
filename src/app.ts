import type { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import { Problem } from './errors.ts'
import type { Hub } from './hub/hub.ts'
import type { Proxy } from './proxy/proxy.ts'
import { assetRoutes } from './routes/assets.ts'
import { boardRoutes } from './routes/board.ts'
import { consoleRoutes } from './routes/console.tsx'
import { docsRoutes } from './routes/docs.tsx'
import { guard } from './routes/guard.ts'
import type { LivePages } from './routes/live-pages.tsx'
import { measureRoutes } from './routes/measures.ts'
import { problemResponse } from './routes/problems.tsx'
import { isBareTarget, proxyHandler, proxyRoutes } from './routes/proxy.ts'
import { streamRoutes } from './routes/streams.ts'
import { topologyRoutes } from './routes/topology.tsx'
import type { StatusDeps } from './streams/status.ts'
import type { Streams } from './streams/streams.ts'
import type { Topology } from './topology/topology.ts'

export interface AppDeps extends StatusDeps {
  streams: Streams
  topology: Topology
  proxy: Proxy
  hub: Hub
  pages: LivePages
  watch(streamId: string, seq: number): void
  queues: readonly Queue[]
  token: string | undefined
  /** Other origins whose pages may subscribe to the proxy. */
  proxyOrigins: readonly string[]
  version: string
  fetch?: typeof globalThis.fetch
  /** Told of every error that is a bug. */
  warn(message: string, error: unknown): void
}

/** The web program: its `fetch` can be mounted by any host that speaks Request and Response. */
export async function createApp(deps: AppDeps) {
  const handleProxy = proxyHandler(deps)
  return new Elysia()
    .onError(({ error, code, request }) => {
      if (error instanceof Problem) return problemResponse(error, request)
      const path = new URL(request.url).pathname
      if (code === 'NOT_FOUND') {
        return problemResponse(
          new Problem('not_found', `There is nothing at ${path.slice(0, 200)}.`),
          request,
        )
      }
      deps.warn(`${request.method} ${path}`, error)
      const detail = 'Something went wrong inside Weir; its log says what.'
      return problemResponse(new Problem('internal', detail), request)
    })
    .onRequest(({ request, server }) => {
      const refused = guard(request, deps)
      if (refused !== undefined) return refused
      return isBareTarget(request) ? handleProxy(request, server) : undefined
    })
    .get('/healthz', () => ({ status: 'ok' }), {
      detail: { tags: ['Operation'], summary: 'Whether the process lives' },
    })
    .use(assetRoutes())
    .use(streamRoutes(deps))
    .use(measureRoutes(deps))
    .use(topologyRoutes(deps))
    .use(consoleRoutes(deps))
    .use(await boardRoutes(deps.queues))
    .use(docsRoutes(deps.version))
    .use(proxyRoutes(handleProxy))
}
