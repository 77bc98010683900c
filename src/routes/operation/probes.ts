import { Elysia } from 'elysia'
import { checkDecided } from '../../auth/access.ts'
import type { Access } from '../../auth/open.ts'
import type { Config } from '../../config/settings.ts'
import { Problem } from '../../errors.ts'
import { noteAddress } from '../../limits/address.ts'
import { currentRequest } from '../../observe/context.ts'
import { METRICS_TYPE } from '../../observe/metrics.ts'
import type { Readiness } from '../../observe/readiness.ts'
import type { Scrape } from '../../observe/scrape.ts'
import { Gate, Refused } from '../access/gate.ts'
import { json } from '../answers/answer.ts'
import { Healthy, METRICS, READY } from '../answers/probes.ts'
import { describe } from '../http/describe.ts'
import { problemOf } from '../http/problem-of.ts'
import { shared } from '../http/shared.ts'

/** How long a readiness report is reused, in milliseconds. */
const READY_FOR_MS = 1_000
const NOT_HERE = new Problem('not_found', 'This process serves only /healthz, /readyz and /metrics.')
const FRESH = { 'Cache-Control': 'no-store' }

export interface ProbeDeps {
  readiness: Readiness
  scrape: Scrape
  now(): number
}

/** Endpoints for orchestrators and monitoring: liveness, readiness, metrics. */
export function probeRoutes({ readiness, scrape, now }: ProbeDeps): Elysia {
  // Only "ready" is cached: it may become ready at any moment, and shutdown must show at once.
  const report = shared(() => readiness.report(), {
    now,
    forMs: READY_FOR_MS,
    isFinal: ({ status }) => status === 'ready',
  })
  const app = new Elysia({ detail: { tags: ['Operation'] } })
  app
    .get('/healthz', () => Response.json({ status: 'ok' }, { headers: FRESH }), {
      response: json(Healthy),
      detail: describe('Liveness probe', 'The process responds. No authentication required.'),
    })
    .get(
      '/readyz',
      async () => {
        const told = readiness.isClosing ? await readiness.report() : await report()
        return Response.json(told, { status: told.status === 'ready' ? 200 : 503, headers: FRESH })
      },
      {
        response: READY,
        detail: describe(
          'Readiness probe',
          'Ready when the database responds and is migrated, the queue responds and workers take jobs (on processes ' +
            'with workers), and the process is neither starting nor shutting down. No authentication required.',
        ),
      },
    )
    .get(
      '/metrics',
      async () => new Response(await scrape.text(), { headers: { ...FRESH, 'Content-Type': METRICS_TYPE } }),
      {
        response: METRICS,
        detail: describe(
          'Prometheus metrics',
          'Counters are per process; gauges read from the database are the same on every process, as their help text ' +
            'says. Values are at most one second old.',
        ),
      },
    )
  // Without route types: the client doesn't need them, and TypeScript limits how many it can handle.
  return app as Elysia
}

export interface ProbeAppDeps extends ProbeDeps {
  access: Access
  config: Config
  warn(message: string, error?: unknown): void
}

/** Only the probes, behind the same gate: for a process without pages. */
export function createProbeApp({ access, config, warn, ...deps }: ProbeAppDeps) {
  const { publicUrl } = config
  const gate = new Gate({ ...access, rateLimit: undefined, proxyOrigins: [], publicUrl })
  const app = new Elysia({ handler: { standardHostname: false } })
    .onError(async ({ error, code, request }) => {
      if (code !== 'NOT_FOUND') return answerTo(error, warn)
      return gate.miss(request).then(
        () => NOT_HERE.toResponse(),
        (refused) => answerTo(refused, warn),
      )
    })
    .onRequest(({ request, server }) => {
      noteAddress(request, server, config.trustProxy ?? [])
      gate.arrive(request)
    })
    .onBeforeHandle(async ({ request, route }) => {
      const context = currentRequest()
      if (context !== undefined) context.route = route
      await gate.enter(request, route)
    })
    .use(probeRoutes(deps))
  checkDecided(app.routes)
  return app
}

function answerTo(error: unknown, warn: ProbeAppDeps['warn']): Response {
  return error instanceof Refused ? error.response : problemOf(error, 'A probe', warn).toResponse()
}
