import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { EventSource } from 'eventsource'
import { Client } from 'pg'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { isSkipped, type OpenSetup, SETUPS } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import type { LoggedEntry } from '../support/weir.ts'

const STREAMS = 12
/** Beside other tests, processes that end or freeze are noticed late: longest wait for others to go on, in milliseconds. */
const TAKEOVER_PATIENCE_MS = 90_000
const TEST_MS = 150_000

interface Status {
  id: string
  status: string
  run: { worker: string; epoch: number } | null
}

/** The set-ups that more than one process can share. */
const SHARED = SETUPS.filter((setup) => setup.name !== 'embedded')

describe.each(SHARED)('web and workers on $name', (setup) => {
  describe.skipIf(isSkipped(setup))('', () => {
    let services: OpenSetup
    let upstream: Upstream
    let url: string
    let database: Client
    const processes: WeirProcess[] = []
    const ids: string[] = []
    const feeds: Feed[] = []
    let ticking: Timer

    const start = (role: string) => {
      const started = spawnWeir({ ...services.environment, ROLE: role })
      processes.push(started)
      return started
    }
    const json = async <T>(path: string, method = 'GET') =>
      (await fetch(url + path, { method })).json() as Promise<T>
    const statuses = () => Promise.all(ids.map((id) => json<Status>(`/api/streams/${id}/status`)))
    const log = async (id: string) => {
      const response = await fetch(`${url}/api/streams/${id}/logs`, {
        headers: { Accept: 'application/x-ndjson' },
      })
      return (await response.text())
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LoggedEntry)
    }
    const pidOf = (worker: string | undefined | null) => Number(worker?.split(':')[1] ?? 0)
    /** How many streams each worker holds, by the worker's process id: of the database, as it is asked often. */
    const holdings = async () => {
      const { rows } = await database.query<{ worker: string | null; streams: number }>(
        'SELECT worker, count(*)::int AS streams FROM weir.states GROUP BY worker',
      )
      return new Map(rows.map(({ worker, streams }) => [pidOf(worker), streams]))
    }
    const allHeld = () =>
      until('every stream is held', async () => {
        if ((await holdings()).has(0) || feeds.some((feed) => feed.readers === 0)) return false
        return (await statuses()).every(({ run }) => run !== null)
      })
    const checkLogs = async () => {
      for (const id of ids) {
        const entries = await log(id)
        expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => index + 1))
        const epochs = entries.map((entry) => entry.epoch)
        expect(epochs).toEqual(epochs.toSorted((a, b) => a - b))
        const events = entries.filter((entry) => entry.kind === 'event').map((entry) => entry.eventId)
        expect(new Set(events).size).toBe(events.length)
      }
    }

    beforeAll(async () => {
      services = await setup.open()
      upstream = startUpstream()
      url = await start('web').url()
      database = new Client({ connectionString: services.environment.DATABASE_URL })
      await database.connect()
      let number = 0
      ticking = setInterval(() => {
        number++
        for (const feed of feeds) feed.send(`id: ${number}\ndata: ${number}\n\n`)
      }, 100)
      for (let index = 0; index < STREAMS; index++) {
        const feed = new Feed()
        feeds.push(feed)
        const path = upstream.on(`/feed-${index}`, () => feed.response({}, 'retry: 10\n\n'))
        const body = JSON.stringify({ url: path, kind: 'sse', tags: ['fleet'] })
        const response = await fetch(`${url}/api/streams`, { method: 'POST', body })
        ids.push(((await response.json()) as { id: string }).id)
      }
    })

    afterAll(async () => {
      clearInterval(ticking)
      for (const { child } of processes) child.kill('SIGKILL')
      await database.end()
      await upstream.stop()
      await services.close()
    })

    test('two workers share the streams, and a third gets its share', async () => {
      const workers = [start('worker'), start('worker')]
      await allHeld()
      await until('both hold some', async () => {
        const counts = await holdings()
        return workers.every(({ child }) => (counts.get(child.pid) ?? 0) >= STREAMS / 2 - 2)
      })
      const third = start('worker')
      await until(
        'the third holds some',
        async () => ((await holdings()).get(third.child.pid) ?? 0) >= STREAMS / 3 - 2,
      )
      await allHeld()
      await checkLogs()
    })

    test('Stop on the web process closes the connection of a worker; Start opens it again', async () => {
      await json(`/api/streams/${ids[0]}/stop`, 'POST')
      await until('the connection is closed', () => feeds[0]?.readers === 0)
      await json(`/api/streams/${ids[0]}/start`, 'POST')
      await until('it is open again', () => feeds[0]?.readers === 1)
    })

    test('entries of a worker reach a subscriber of another web process, once and in order', async () => {
      const second = await start('web').url()
      const source = new EventSource(`${second}/api/streams/${ids[1]}/events`)
      const seen: number[] = []
      source.addEventListener('entry', (event) => seen.push(Number(event.lastEventId)))
      await until('twenty entries have come', () => seen.length >= 20)
      source.close()
      expect(seen).toEqual(seen.map((_, index) => (seen[0] as number) + index))
    })

    test('a worker that shuts down hands over its streams', async () => {
      const counts = await holdings()
      const leaving = processes.find(({ child }) => counts.has(child.pid)) as WeirProcess
      leaving.child.kill('SIGTERM')
      expect((await leaving.ended()).code).toBe(0)
      await allHeld()
      expect((await holdings()).has(leaving.child.pid)).toBe(false)
      await checkLogs()
    })

    test(
      'a worker that was frozen writes nothing when it wakes up, and releases its streams',
      async () => {
        const counts = await holdings()
        const frozen = processes.find(({ child }) => counts.has(child.pid)) as WeirProcess
        frozen.child.kill('SIGSTOP')
        await until(
          'others hold its streams',
          async () => {
            const now = await holdings()
            return !now.has(frozen.child.pid) && !now.has(0)
          },
          TAKEOVER_PATIENCE_MS,
        )
        frozen.child.kill('SIGCONT')
        await until('each stream has one connection', () => feeds.every((feed) => feed.readers === 1))
        await checkLogs()
      },
      TEST_MS,
    )

    test(
      'a worker that is killed is replaced',
      async () => {
        const counts = await holdings()
        const killed = processes.find(({ child }) => counts.has(child.pid)) as WeirProcess
        start('worker')
        killed.child.kill('SIGKILL')
        await until(
          'others hold its streams',
          async () => {
            const now = await holdings()
            return !now.has(killed.child.pid) && !now.has(0)
          },
          TAKEOVER_PATIENCE_MS,
        )
        await checkLogs()
      },
      TEST_MS,
    )
  })
})
