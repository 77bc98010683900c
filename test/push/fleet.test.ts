import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createParser } from 'eventsource-parser'
import { isSkipped, type OpenSetup, SETUPS, type Setup } from '../support/setups.ts'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

const setup = SETUPS.find(({ name }) => name === 'Postgres') as Setup
const run = test.skipIf(isSkipped(setup))

let opened: OpenSetup
let webs: TestWeir[] = []
let worker: TestWeir

const start = (role: string) => startTestWeir({ ...opened.environment, ROLE: role, RATE_LIMIT: '0' })

beforeAll(async () => {
  if (setup.lacks !== undefined) return
  opened = await setup.open({ ownServer: true })
  // One after the other: the first one migrates.
  webs = [await start('web'), await start('web')]
  worker = await start('worker')
}, 120_000)

afterAll(async () => {
  for (const weir of [...webs, worker]) await weir?.close()
  await opened?.close()
})

interface Answer {
  status: number
  seq?: number
  isNew?: boolean
  retryAfter: string | null
}

async function pushed(): Promise<{ id: string; path: string }> {
  const registration = {
    kind: 'push',
    url: 'https://sender.example/',
    push: { scheme: 'none', idFrom: '/id' },
  }
  const made = await (webs[0] as TestWeir).send('POST', '/api/streams', registration)
  const { id, pushUrl } = (await made.json()) as { id: string; pushUrl: string }
  return { id, path: new URL(pushUrl).pathname }
}

async function send(weir: TestWeir | undefined, path: string, body: unknown): Promise<Answer> {
  const response = await (weir as TestWeir).send('POST', path, body)
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    ...((await response.json()) as object),
  }
}

run('several web processes number the deliveries of one stream together', async () => {
  const { id, path } = await pushed()
  const reader = await fetch(`${webs[1]?.url}/api/streams/${id}/events`)
  const seqs: number[] = []
  const parser = createParser({ onEvent: ({ data }) => void seqs.push(JSON.parse(data).seq) })
  const sent = await Promise.all(
    Array.from({ length: 80 }, (_, index) => send(webs[index % 2], path, { id: Math.floor(index / 4) })),
  )
  expect(sent.filter(({ status }) => status === 202).length).toBe(20)
  expect(sent.filter(({ status }) => status === 200).length).toBe(60)
  const logged = await (webs[0] as TestWeir).logs(id)
  expect(logged.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  const body = (reader.body as ReadableStream<Uint8Array>).getReader()
  while (seqs.length < 20) parser.feed(new TextDecoder().decode((await body.read()).value))
  expect(seqs).toEqual(logged.map(({ seq }) => seq))
  await body.cancel()
  const counted = await webs[0]?.json<{ total: { entries: number } }>(`/api/streams/${id}/size`)
  expect(counted?.total.entries).toBe(20)
  const { run, status } = (await (webs[1] as TestWeir).json(`/api/streams/${id}/status`)) as {
    run: unknown
    status: string
  }
  expect([run, status]).toEqual([null, 'live'])
  expect(worker.warnings).toEqual([])
})

run('a delivery is known again after a restart', async () => {
  const { id, path } = await pushed()
  expect(await send(webs[0], path, { id: 'a' })).toMatchObject({ status: 202, seq: 1 })
  await webs[0]?.close()
  webs[0] = await start('web')
  expect(await send(webs[0], path, { id: 'a' })).toMatchObject({ status: 200, seq: 1, isNew: false })
  expect(await send(webs[0], path, { id: 'b' })).toMatchObject({ status: 202, seq: 2 })
  expect((await (webs[0] as TestWeir).logs(id)).length).toBe(2)
})

run(
  'while the database is away, senders are told when to try again; what is sent again is stored once',
  async () => {
    const { id, path } = await pushed()
    expect((await send(webs[0], path, { id: 1 })).status).toBe(202)
    await opened.postgres?.kill()
    const refused = await send(webs[0], path, { id: 2 })
    expect(refused.status).toBe(503)
    expect(Number(refused.retryAfter)).toBeGreaterThan(0)
    await opened.postgres?.restart()
    const [again] = await Promise.all([
      until('it is taken', async () => {
        const answer = await send(webs[0], path, { id: 2 })
        return answer.status !== 503 && answer
      }),
    ])
    expect(again.seq).toBe(2)
    expect((await (webs[0] as TestWeir).logs(id)).map(({ eventId }) => eventId)).toEqual(['1', '2'])
  },
  120_000,
)
