import { Elysia } from 'elysia'
import { packageHome } from '../files.ts'
import { outageOf, outageProblem } from '../storage/errors/outage.ts'
import type { JobTelling, ToldJob } from './job-telling.ts'
import type { Queue } from './types.ts'

/** The package of the board's own pages and scripts. */
export const BOARD_UI = '@bull-board/ui'

/**
 * Opens the BullMQ board at `/jobs`: an app of its own, so that its responses pass through the routes.
 * @param telling what it shows beside what BullMQ knows
 */
export async function openBoard(queues: readonly Promise<Queue>[], telling: JobTelling) {
  const [{ createBullBoard }, { BullMQAdapter }, { ElysiaAdapter }] = await Promise.all([
    import('@bull-board/api'),
    import('@bull-board/api/bullMQAdapter'),
    import('@bull-board/elysia'),
  ])
  const Adapter = adapterThatTells(BullMQAdapter, telling)
  const adapter = new ElysiaAdapter('/jobs')
  createBullBoard({
    queues: (await Promise.all(queues)).map((queue) => new Adapter(queue)),
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

type Base = typeof import('@bull-board/api/bullMQAdapter').BullMQAdapter
type Job = Awaited<ReturnType<InstanceType<Base>['getJobs']>>[number]

/** An adapter whose jobs tell what they are about. Only what is shown differs: a job itself stays as it is stored. */
function adapterThatTells(BullMQAdapter: Base, telling: JobTelling) {
  return class extends BullMQAdapter {
    constructor(queue: Queue) {
      super(queue, {
        // Weir itself tries again what failed, while its job stays active.
        allowRetries: false,
        // The type omits that a job may have no page.
        externalJobUrl: (({ data }: { data: Partial<ToldJob['data']> }) => linkOf(data)) as never,
      })
    }

    override async getJob(id: string): Promise<Job | undefined> {
      const job = await super.getJob(id)
      return job && (await this.#tell([job]))[0]
    }

    override async getJobs(...range: Parameters<InstanceType<Base>['getJobs']>): Promise<Job[]> {
      return this.#tell(await super.getJobs(...range))
    }

    override async getJobLogs(id: string): Promise<string[]> {
      return (await telling.log(this.getName(), id)) ?? super.getJobLogs(id)
    }

    /** BullMQ counts connections that wait for jobs, which says nothing of a worker whose jobs never end. */
    override async getWorkers() {
      const workers = await telling.workers()
      return workers.map(({ name, ageSeconds }) => ({ id: name, name, addr: name, age: ageSeconds }))
    }

    async #tell(jobs: Job[]): Promise<Job[]> {
      const ids = jobs.flatMap(({ id }) => id ?? [])
      const told = await telling.jobs(this.getName(), ids)
      for (const job of jobs) {
        const known = told.get(job.id ?? '')
        if (known !== undefined) job.toJSON = withTold(job.toJSON.bind(job), known)
      }
      return jobs
    }
  }
}

function withTold(
  stored: Job['toJSON'],
  { name, data, progress, attempts, failure }: ToldJob,
): Job['toJSON'] {
  return () => ({
    ...stored(),
    ...{ name, data, attemptsMade: attempts },
    ...(progress && { progress }),
    ...(failure && { failedReason: failure }),
  })
}

function linkOf({ page }: Partial<ToldJob['data']>) {
  return typeof page === 'string' ? { displayName: 'Open in Weir', href: page } : undefined
}
