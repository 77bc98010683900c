import { join, normalize } from 'node:path'
import type { Queue } from 'bullmq'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { packageHome } from '../../files.ts'
import { pageHeaders } from '../http/html.ts'

/** The board's page asks another host for its fonts; Weir loads nothing from elsewhere. */
const FOREIGN_LINK = /<link[^>]+href="https?:[^>]*>/g

/** The BullMQ board: every queue, its jobs and their states. Its packages take a tenth of a start: they wait for a look. */
export function boardRoutes(queues: readonly Promise<Queue>[]) {
  let opening: ReturnType<typeof openBoard> | undefined
  const open = () => {
    opening ??= openBoard(queues)
    return opening
  }
  const answer = async ({ request }: { request: Request }) => {
    const response = await (await open()).handle(request)
    if (response.status === 404 && response.body === null)
      throw new Problem(
        'not_found',
        `The board has nothing at ${new URL(request.url).pathname.slice(0, 200)}.`,
      )
    if (!response.headers.get('content-type')?.startsWith('text/html')) return response
    const page = (await response.text()).replace(FOREIGN_LINK, '')
    return new Response(page, { status: response.status, headers: pageHeaders({ inlineStyle: true }) })
  }
  const options = { parse: 'none', detail: { hide: true } } as const
  return new Elysia()
    .get('/jobs/static/*', ({ params }) => staticFile(params['*']), options)
    .all('/jobs', answer, options)
    .all('/jobs/*', answer, options)
}

/** Read here, because the board's own way doesn't reach into the executable. */
async function staticFile(path: string): Promise<Response> {
  const file = Bun.file(join(packageHome('@bull-board/ui'), 'dist/static', normalize(`/${path}`)))
  if (!(await file.exists())) throw new Problem('not_found', 'The board has no such file.')
  return new Response(await file.bytes(), { headers: { 'Content-Type': file.type } })
}

async function openBoard(queues: readonly Promise<Queue>[]) {
  const [{ createBullBoard }, { BullMQAdapter }, { ElysiaAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/elysia'),
  ])
  const adapter = new ElysiaAdapter('/jobs')
  createBullBoard({
    queues: (await Promise.all(queues)).map((queue) => new BullMQAdapter(queue)),
    serverAdapter: adapter,
    options: {
      uiBasePath: packageHome('@bull-board/ui'),
      uiConfig: { boardTitle: 'Weir', miscLinks: [{ text: 'Back to Weir', url: '/streams' }] },
    },
  })
  // An app of its own, so that what it answers passes through the routes.
  return new Elysia().onError(noRoute).use(await adapter.registerPlugin())
}

/** The board's own handler of errors takes a path that it doesn't have for a fault inside. */
function noRoute({ code }: { code: unknown }): Response | undefined {
  return code === 'NOT_FOUND' ? new Response(null, { status: 404 }) : undefined
}
