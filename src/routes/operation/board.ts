import { join, normalize } from 'node:path'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { packageHome } from '../../files.ts'
import { Late, within } from '../../observe/within.ts'
import { BOARD_UI, openBoard } from '../../queue/board.ts'
import type { Queue } from '../../queue/types.ts'
import type { StatusDeps } from '../../streams/status/status.ts'
import { pageHeaders } from '../http/html.ts'
import { jobTelling } from './job-telling.ts'

/** Longest wait for the queue, in milliseconds. */
const ANSWER_MS = 10_000
/** The board's page loads fonts from another host; Weir loads nothing from other hosts. */
const FOREIGN_LINK = /<link[^>]+href="https?:[^>]*>/g

/** The BullMQ board: every queue, its jobs and their states. Its packages take a tenth of the start time, so they are
 * loaded on first use. */
export function boardRoutes(deps: StatusDeps & { queues: readonly Promise<Queue>[] }) {
  let opening: ReturnType<typeof openBoard> | undefined
  const open = () => {
    opening ??= openBoard(deps.queues, jobTelling(deps))
    // An outage may end: the next request tries again.
    opening.catch(() => {
      opening = undefined
    })
    return opening
  }
  const handle = async (request: Request) => (await open()).handle(request)
  const answer = async ({ request }: { request: Request }) => {
    const response = await inTime(handle(request))
    if (response.status === 404 && response.body === null)
      throw new Problem(
        'not_found',
        `The job board has no page at ${new URL(request.url).pathname.slice(0, 200)}.`,
      )
    if (!response.headers.get('content-type')?.startsWith('text/html')) return response
    const page = (await response.text()).replace(FOREIGN_LINK, '')
    return new Response(page, { status: response.status, headers: pageHeaders({ inlineStyle: true }) })
  }
  return new Elysia({ detail: { hide: true } })
    .get('/jobs/static/*', ({ params }) => staticFile(params['*']))
    .all('/jobs', answer)
    .all('/jobs/*', answer)
}

/** BullMQ waits for a Redis that is away. @throws Problem `unavailable` */
async function inTime(answer: Promise<Response>): Promise<Response> {
  try {
    return await within(ANSWER_MS, answer)
  } catch (error) {
    if (!(error instanceof Late)) throw error
    throw new Problem('unavailable', "The queue doesn't respond. Try again in a few seconds.")
  }
}

/** Read here, because the board's own handler can't read from the executable. */
async function staticFile(path: string): Promise<Response> {
  const file = Bun.file(join(packageHome(BOARD_UI), 'dist/static', normalize(`/${path}`)))
  if (!(await file.exists())) throw new Problem('not_found', 'The job board has no such file.')
  return new Response(await file.bytes(), { headers: { 'Content-Type': file.type } })
}
