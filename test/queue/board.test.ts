import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

interface ShownJob {
  id: string
  name: string
  data: Record<string, unknown>
  progress: Record<string, unknown>
  attempts: number
  failedReason?: string
  externalUrl?: { href: string }
}

interface ShownQueue {
  name: string
  hasWorkers: boolean | null
  jobs: ShownJob[]
}

describe.each(SETUPS)('on $name', (setup) => {
  describe.concurrent.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let weir: TestWeir

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      weir = await startTestWeir(services.environment)
    })

    afterAll(async () => {
      expect(weir.warnings).toEqual([])
      await weir.close()
      await upstream.stop()
      await services.close()
    })

    const queueOf = async (name: string, status = 'latest') => {
      const asked = `/jobs/api/queues?activeQueue=${name}&status=${status}&page=1&jobsPerPage=50`
      const { queues } = (await (await weir.get(asked)).json()) as { queues: ShownQueue[] }
      return queues.find((queue) => queue.name === name) as ShownQueue
    }
    const jobOf = async (id: string) => (await queueOf('streams')).jobs.find((job) => job.id === id)
    const logOf = async (id: string) =>
      (await (await weir.get(`/jobs/api/queues/streams/${id}/logs`)).json()) as string[]

    test('a failing stream says on the board what it is, since when and why it fails', async () => {
      const url = upstream.on('/failing', () => new Response('{"error":"no quota"}', { status: 503 }))
      const registered = { url, kind: 'poll', intervalMs: 500, name: 'Failing', tags: ['shop'] }
      const { id } = await weir.register(registered)
      const job = await until('it has failed twice', async () => {
        const shown = await jobOf(id)
        return (shown?.attempts ?? 0) >= 2 && shown
      })
      expect(job).toMatchObject({
        name: 'Failing',
        data: { name: 'Failing', url, kind: 'poll', tags: ['shop'], page: `/streams/${id}` },
        failedReason: expect.stringContaining('no quota'),
        externalUrl: { href: `/streams/${id}` },
      })
      const { status, failures, failingSince, nextRetryAt } = job.progress
      expect({ status, failures }).toEqual({ status: 'backing-off', failures: job.attempts })
      expect(Date.parse(nextRetryAt as string)).toBeGreaterThan(Date.parse(failingSince as string))
      const lines = await logOf(id)
      expect(lines[0]).toMatch(/^\d{4}-\S+Z run 1 started on /)
      expect(lines.filter((line) => line.includes('503'))).not.toHaveLength(0)
      // The job by itself, and back from the stream's page.
      const alone = (await (await weir.get(`/jobs/api/queues/streams/${id}`)).json()) as { job: ShownJob }
      expect(alone.job.data).toEqual(job.data)
      const page = await (await weir.get(`/streams/${id}`)).text()
      expect(page).toContain(`href="/jobs/queue/streams/${id}"`)
    })

    test('connections, their ends and hand-overs are lines of its log', async () => {
      const feed = new Feed()
      const { id } = await weir.register({
        url: upstream.on('/ending', () => feed.response({}, 'retry: 10\ndata: one\n\n')),
        kind: 'sse',
      })
      await until('it is connected', () => feed.readers > 0)
      feed.end()
      await weir.send('POST', `/api/streams/${id}/stop`)
      await weir.send('POST', `/api/streams/${id}/start`)
      const lines = await until('the second run has connected', async () => {
        const all = await logOf(id)
        const second = all.findIndex((line) => line.includes('run 2 started'))
        return second > 0 && all.slice(second).some((line) => line.includes('connected: 200')) && all
      })
      expect(lines.filter((line) => line.includes('connected: 200')).length).toBeGreaterThanOrEqual(2)
      expect(lines.some((line) => line.includes('run 1 ended'))).toBe(true)
      expect(lines.toSorted()).toEqual(lines)
      expect((await jobOf(id))?.attempts).toBe(0)
      expect((await jobOf(id))?.failedReason).toBeUndefined()
    })

    test('a job that Weir didn’t add is shown as it is', async () => {
      const added = await weir.send('POST', '/jobs/api/queues/streams/add', {
        name: 'odd',
        data: { a: 1 },
        options: { delay: 3_600_000 },
      })
      expect(added.status).toBe(200)
      const shown = (await queueOf('streams', 'delayed')).jobs.find(({ name }) => name === 'odd')
      expect(shown?.data).toEqual({ a: 1 })
      expect(await logOf(shown?.id ?? '')).toEqual([])
      expect((await weir.send('PUT', `/jobs/api/queues/streams/${shown?.id}/clean`)).status).toBeLessThan(300)
    })

    test('every queue has workers, and says which', async () => {
      for (const name of ['streams', 'schedules', 'deliveries', 'archive'])
        expect(await queueOf(name)).toMatchObject({ hasWorkers: true })
      const { workers } = (await (await weir.get('/jobs/api/queues/streams/workers')).json()) as {
        workers: { name: string }[]
      }
      expect(workers.map(({ name }) => name)).toEqual([expect.stringContaining(`:${process.pid}:`)])
    })

    test('a private stream stays an ID', async () => {
      const url = upstream.on('/private', () => Response.json({ secret: 1 }))
      const reading = new AbortController()
      const response = await fetch(`${weir.url}/proxy/${url}`, {
        headers: { 'X-Sd-Header': 'X-Api-Key: mine' },
        signal: reading.signal,
      })
      expect(response.status).toBe(200)
      const job = await until('it has a job', async () =>
        (await queueOf('streams')).jobs.find(({ data }) => Object.keys(data).length === 0),
      )
      expect(job.name).toBe('hold')
      expect(JSON.stringify(job)).not.toContain('/private')
      expect(await logOf(job.id)).toEqual([])
      reading.abort()
    })
  })
})
