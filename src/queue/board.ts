import { Elysia } from 'elysia'
import { packageHome } from '../files.ts'
import { outageOf, outageProblem } from '../storage/errors/outage.ts'
import type { Queue } from './types.ts'

/** The package of the board's own pages and scripts. */
export const BOARD_UI = '@bull-board/ui'

/** Opens the BullMQ board at `/jobs`: an app of its own, so that its responses pass through the routes. */
export async function openBoard(queues: readonly Promise<Queue>[]) {
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
      uiBasePath: packageHome(BOARD_UI),
      uiConfig: { boardTitle: 'Weir', miscLinks: [{ text: 'Back to Weir', url: '/streams' }] },
    },
  })
  return new Elysia().onError(answerTo).use(await adapter.registerPlugin())
}

/** The board's own error handler treats an unknown path and an outage as internal errors. */
function answerTo({ code, error }: { code: unknown; error: unknown }): Response | undefined {
  if (code === 'NOT_FOUND') return new Response(null, { status: 404 })
  const outage = outageOf(error)
  return outage && outageProblem(outage).toResponse()
}
