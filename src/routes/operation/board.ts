import { join, normalize } from 'node:path'
import { Elysia } from 'elysia'
import { Problem } from '../../errors.ts'
import { packageHome } from '../../files.ts'
import { BOARD_UI, openBoard } from '../../queue/board.ts'
import type { Queue } from '../../queue/types.ts'
import { pageHeaders } from '../http/html.ts'

/** The board's page loads fonts from another host; Weir loads nothing from other hosts. */
const FOREIGN_LINK = /<link[^>]+href="https?:[^>]*>/g

/** The BullMQ board: every queue, its jobs and their states. Its packages take a tenth of the start time, so they are
 * loaded on first use. */
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

/** Read here, because the board's own handler can't read from the executable. */
async function staticFile(path: string): Promise<Response> {
  const file = Bun.file(join(packageHome(BOARD_UI), 'dist/static', normalize(`/${path}`)))
  if (!(await file.exists())) throw new Problem('not_found', 'The job board has no such file.')
  return new Response(await file.bytes(), { headers: { 'Content-Type': file.type } })
}
