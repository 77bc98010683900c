import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import type { Result } from '../../src/cli/bench/report.ts'
import { sha256 } from '../../src/core/documents/document.ts'
import { until } from '../support/until.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { cliOf, spawnCli } from './support.ts'

let upstream: Upstream
let weir: TestWeir
let cli: ReturnType<typeof cliOf>

beforeAll(async () => {
  upstream = startUpstream()
  weir = await startTestWeir()
  cli = cliOf(weir.url)
  await Promise.all([record('shop', [0, 0, 1, 1, 2]), record('steady', [0, 0, 0])])
})

afterAll(async () => {
  await weir.close()
  await upstream.stop()
})

/** Records one poll after another that finds these versions, and then stops. */
async function record(name: string, versions: readonly number[]): Promise<void> {
  const url = upstream.on(`/${name}`, (_, hits) => {
    const version = versions[Math.min(hits, versions.length) - 1]
    return Response.json({ version, big: 12345678901234567890n.toString(), rows: Array(200).fill('row') })
  })
  const { id } = await weir.register({ url, name, kind: 'poll', intervalMs: 500 })
  await until('all polls are recorded', async () => (await weir.logs(id)).length >= versions.length)
  await weir.send('POST', `/api/streams/${id}/stop`)
  await weir.status(id, 'stopped')
}

async function streamOf(name: string): Promise<string> {
  const { items } = await weir.json<{ items: { id: string }[] }>(`/api/streams?q=${name}`)
  return items[0]?.id as string
}

/** Servers of a bench that a process has started. */
function serversOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && isServer(Number(name)))
    .filter((pid) => read(Number(pid), 'status').includes(`\nPPid:\t${parent}\n`))
    .map(Number)
}

function isServer(pid: number): boolean {
  return read(pid, 'cmdline').includes('__bench-server')
}

/** Empty for a process that has ended. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return ''
  }
}

test('bench replays what was recorded to every client, and counts it', async () => {
  const id = await streamOf('shop')
  const log = await weir.logs(id)
  const polls = log.filter(({ kind }) => ['exchange', 'snapshot', 'patch'].includes(kind)).length
  const { code, out, err } = await cli('bench', 'shop', '--subscribers', '7', '--seconds', '1', '--json')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  const { stream, subscribers, recorded, polling, streaming } = JSON.parse(out) as Result
  const document = await (await weir.get(`/api/streams/${id}/document`)).text()
  expect({ stream, subscribers, recorded }).toEqual({
    stream: { id, name: 'shop' },
    subscribers: 7,
    recorded: {
      ...{ from: log[0]?.at as string, to: log.at(-1)?.at as string },
      ...{ polls, changes: 2, heartbeats: 0, lastDocument: sha256(document) },
    },
  })
  for (const each of Object.values(polling)) {
    expect(each).toMatchObject({ clients: 7, polls: each.replays * 7 * polls })
    expect(each.cpuMs).toBeGreaterThan(0)
    expect(each.leastMs).toBeLessThanOrEqual(each.mostMs)
    expect(each.saved.share).toBeCloseTo(1 - streaming.cpuMs / each.cpuMs, 10)
  }
  expect([polling.plain.notModified, polling.gzip.notModified]).toEqual([0, 0])
  // Each client receives each of the three documents once.
  expect(polling.conditional.notModified).toBe(polling.conditional.replays * 7 * (polls - 3))
  expect(streaming).toMatchObject({
    ...{ clients: 7, deliveries: streaming.replays * 7 * 2, connections: streaming.replays * 7 },
    heartbeats: streaming.replays * 7 * 10,
  })
  // And Weir has it, for reports.
  const { items } = await weir.json<{ items: object[] }>(`/api/streams/${id}/cpu`)
  expect(items[0]).toMatchObject({
    ...{ subscribers: 7, seconds: 1, clients: { polling: 7, streaming: 7 } },
    recorded: { from: recorded.from, to: recorded.to, polls, changes: 2 },
    streaming: { cpuMs: streaming.cpuMs },
    saved: { conditional: polling.conditional.saved },
  })
})

test('bench with a key that may only read says that its result isn’t stored', async () => {
  const locked = await startTestWeir({ WEIR_TOKEN: 'a-secret-of-sixteen' })
  const owner = { headers: { Authorization: 'Bearer a-secret-of-sixteen' } }
  const post = (path: string, body: unknown) =>
    fetch(locked.url + path, { ...owner, method: 'POST', body: JSON.stringify(body) })
  const url = upstream.on('/locked', (_, hits) => Response.json({ hits }))
  const { id } = (await (await post('/api/streams', { url, kind: 'poll', intervalMs: 500 })).json()) as {
    id: string
  }
  const { secret } = (await (await post('/api/keys', { name: 'Reader', scope: 'read' })).json()) as {
    secret: string
  }
  await until('it has changed', async () => {
    const { total } = (await (await fetch(`${locked.url}/api/streams/${id}/size`, owner)).json()) as {
      total: { entries: number }
    }
    return total.entries >= 3
  })
  const { code, out, err } = await cliOf(locked.url, { WEIR_TOKEN: secret })(
    'bench',
    id,
    '--seconds',
    '1',
    '--json',
  )
  expect([code, JSON.parse(out).subscribers]).toEqual([0, 100])
  expect(err).toContain('The result isn’t stored: ')
  await locked.close()
})

test('bench says in a table what a server needs, and what streaming saves', async () => {
  const { code, out } = await cli('bench', 'shop', '--seconds', '1')
  expect(code).toBe(0)
  const [head, titles, ...rows] = out.split('\n')
  expect(head).toMatch(/^shop: \S+ s from \S+Z with \d+ polls and 2 changes, for 100 clients\.$/)
  expect(titles).toMatch(/^SERVER CPU +MS +IN TOTAL +STREAMING SAVES$/)
  for (const [index, way] of [
    'plain polling',
    'polling with gzip',
    'polling with gzip and validators',
  ].entries())
    expect(rows[index]).toMatch(
      new RegExp(`^${way} +[\\d.]+ / 1,000 polls +[\\d.]+ ms +(unclear|-?\\d[\\d.]*% \\(.+ to .+\\))$`),
    )
  expect(rows[3]).toMatch(/^streaming +[\d.]+ \/ 1,000 changes +[\d.]+ ms$/)
})

test.each([
  [
    'steady',
    4,
    'weir: "steady" has fewer than two documents. Let Weir record it until it has changed at least once. (not_enough_recorded)\n',
  ],
  ['pushed', 4, 'weir: "pushed" is an event stream already: there is no polling to compare. (not_polled)\n'],
  ['missing', 5, 'weir: Stream "missing" not found. (not_found)\n'],
])('bench of %s explains why it has nothing to replay', async (name, code, err) => {
  if (name === 'pushed') await weir.register({ url: upstream.url, name, kind: 'sse', start: false })
  expect(await cli('bench', name)).toEqual({ code, out: '', err })
})

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)('%s ends a bench with its servers', async (signal) => {
  const { child, ended } = spawnCli(['bench', 'shop', '--seconds', '60'], { WEIR_URL: weir.url })
  const servers = await until('both servers run', () => {
    const found = serversOf(child.pid)
    return found.length === 2 && found
  })
  child.kill(signal)
  const { code, err } = await ended()
  expect({ code, err }).toEqual({ code: signal === 'SIGKILL' ? 137 : 130, err: '' })
  await until('no server is left', () => !servers.some(isServer))
})

test('a bench whose server is killed says so', async () => {
  const { child, ended } = spawnCli(['bench', 'shop', '--seconds', '60'], { WEIR_URL: weir.url })
  const server = await until('the server runs', () =>
    serversOf(child.pid).find((pid) => read(pid, 'cmdline').includes('polling')),
  )
  process.kill(server, 'SIGKILL')
  const { code, err } = await ended()
  expect({ code, err }).toEqual({
    code: 4,
    err: expect.stringMatching(
      /^weir: The polling server (has ended unexpectedly\.|doesn't respond: .+) \(bench_failed\)\n$/,
    ),
  })
  expect(serversOf(child.pid)).toEqual([])
})
