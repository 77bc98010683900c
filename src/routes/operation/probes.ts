import { Elysia } from 'elysia'
import { checkDecided } from '../../auth/access.ts'
import type { Access } from '../../auth/open.ts'
import type { Config } from '../../config.ts'
import { Problem } from '../../errors.ts'
import { noteAddress } from '../../limits/address.ts'
import { currentRequest } from '../../observe/context.ts'
import { METRICS_TYPE } from '../../observe/metrics.ts'
import type { Readiness } from '../../observe/readiness.ts'
import type { Scrape } from '../../observe/scrape.ts'
import { Gate, Refused } from '../access/gate.ts'
import { json } from '../answers/answer.ts'
import { Healthy, METRICS, READY } from '../answers/probes.ts'
import { operation } from '../http/operation.ts'
import { shared } from '../http/shared.ts'

/** A look at what must be there is as good as new for this long, in milliseconds, however many ask. */
const READY_FOR_MS = 1_000
const NOT_HERE = new Problem('not_found', 'Only probes are here.')
const FRESH = { 'Cache-Control': 'no-store' }

export interface ProbeDeps {
  readiness: Readiness
  scrape: Scrape
  now(): number
}

/** What is asked by machines that look after Weir: whether it lives, whether it is ready, and its figures. */
export function probeRoutes({ readiness, scrape, now }: ProbeDeps): Elysia {
  // That it isn't ready is looked at anew: it may be any moment, and shutting down is told at once.
  const report = shared(() => readiness.report(), {
    now,
    forMs: READY_FOR_MS,
    isFinal: ({ status }) => status === 'ready',
  })
  const app = new Elysia({ detail: { tags: ['Operation'] } })
  app
    .get('/healthz', () => Response.json({ status: 'ok' }, { headers: FRESH }), {
      detail: operation('Whether the process lives', 'Its event loop answers: no more, and to everybody.', {
        answers: json(Healthy),
      }),
    })
    .get(
      '/readyz',
      async () => {
        const told = readiness.isClosing ? await readiness.report() : await report()
        return Response.json(told, { status: told.status === 'ready' ? 200 : 503, headers: FRESH })
      },
      {
        detail: operation(
          'Whether it can do its work',
          'The database answers and has its tables; where there are workers, they take jobs and the queue answers; ' +
            'and it is neither starting nor shutting down. Told to everybody, for load balancers.',
          { answers: READY },
        ),
      },
    )
    .get(
      '/metrics',
      async () => new Response(await scrape.text(), { headers: { ...FRESH, 'Content-Type': METRICS_TYPE } }),
      {
        detail: operation(
          'Its figures, for Prometheus',
          "Counters are this process's own; gauges of the database are the same from every process, and say so. " +
            'At most a second old.',
          { answers: METRICS },
        ),
      },
    )
  // Without the types of its routes: the client has no use for them, and TypeScript takes only so many.
  return app as Elysia
}

export interface ProbeAppDeps extends ProbeDeps {
  access: Access
  config: Config
}

/** Nothing but the probes, behind the same gate: for a process that has no pages. */
export function createProbeApp({ access, config, ...deps }: ProbeAppDeps) {
  const { publicUrl } = config
  const gate = new Gate({ ...access, rateLimit: undefined, proxyOrigins: [], publicUrl })
  const app = new Elysia({ handler: { standardHostname: false } })
    .onError(async ({ error, code, request }) => {
      if (code !== 'NOT_FOUND') return answerTo(error)
      return gate.miss(request).then(() => NOT_HERE.toResponse(), answerTo)
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

function answerTo(error: unknown): Response {
  if (error instanceof Refused) return error.response
  if (error instanceof Problem) return error.toResponse()
  return new Problem('internal', 'Something went wrong inside Weir.').toResponse()
}
