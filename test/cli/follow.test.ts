import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fillDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir } from '../support/weir.ts'
import { cliOf, jsonLines, spawnCli } from './support.ts'

interface Line {
  seq: number
  kind: string
  data?: unknown
}

let upstream: Upstream
let dataDir: string
const started: WeirProcess[] = []

beforeAll(() => {
  upstream = startUpstream()
  dataDir = mkdtempSync(join(tmpdir(), 'weir-cli-'))
})

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await upstream.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

/** Sends that many numbered events once somebody reads the feed. */
async function send(feed: Feed, from: number, count: number): Promise<void> {
  await until('the upstream is held', () => feed.readers > 0)
  for (let n = from; n < from + count; n++) feed.send(`event: tick\nid: ${n}\ndata: ${n}\n\n`)
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'logs -f goes on after Weir is ended by %s and started again: nothing is lost, nothing comes twice',
  async (signal) => {
    const own = join(dataDir, signal)
    await fillDataDir(own)
    const first = spawnWeir({ DATA_DIR: own })
    started.push(first)
    const url = await first.url()
    const feed = new Feed()
    const path = upstream.on(`/${signal}`, () => feed.response())
    const added = await cliOf(url)('add', path, '--kind', 'sse', '--name', 'followed', '--json')
    const { id } = JSON.parse(added.out) as { id: string }
    await send(feed, 1, 50)
    await until('they are stored', async () =>
      (await cliOf(url)('logs', id, '-n', '1')).out.includes(' 50\n'),
    )
    const follower = spawnCli(['logs', 'followed', '-f', '--json', '-n', '1'], { WEIR_URL: url })
    const seen = () => jsonLines<Line>(follower.output.out.replace(/[^\n]*$/, ''))
    const has = (data: string) =>
      until(`${data} was followed`, () => seen().some((line) => line.data === data))
    // What comes after the past that it printed is followed, whether it is connected by then or not.
    await until('it has printed the past', () => seen().length === 1)
    await send(feed, 100, 50)
    await has('149')
    first.child.kill(signal)
    await first.ended()
    await follower.says(/is unreachable\. Retrying/, 'err')
    feed.end()
    const second = spawnWeir({ DATA_DIR: own, PORT: new URL(url).port })
    started.push(second)
    await second.url()
    await send(feed, 200, 50)
    await has('249')
    await follower.says(/Reconnected to/, 'err')
    await send(feed, 300, 50)
    await has('349')
    follower.child.kill('SIGINT')
    expect((await follower.ended()).code).toBe(0)
    const { out } = await cliOf(url)('logs', id, '--since', '1h', '--json')
    const [followedFrom] = seen()
    const stored = jsonLines<Line>(out).filter(({ seq }) => seq >= (followedFrom as Line).seq)
    expect(seen()).toEqual(stored.slice(0, seen().length))
    const events = seen().filter(({ kind }) => kind === 'event')
    const numbers = (from: number) => Array.from({ length: 50 }, (_, index) => String(from + index))
    const sent = ['50', ...numbers(100), ...numbers(200), ...numbers(300)]
    expect(events.map(({ data }) => data)).toEqual(sent)
    expect(seen().map(({ seq }) => seq)).toEqual(seen().map((_, index) => (followedFrom as Line).seq + index))
    second.child.kill('SIGTERM')
    await second.ended()
  },
)

test('logs shows the last entries, those of a kind, or all since a time', async () => {
  const weir = await startTestWeir()
  try {
    let hits = 0
    const path = upstream.on('/log', () =>
      ++hits === 5 ? new Response('no', { status: 500 }) : Response.json({ hits }),
    )
    const { id } = await weir.register({ url: path, kind: 'poll', intervalMs: 500, name: 'logged' })
    await weir.entry(id, 'the eighth', ({ seq }) => seq >= 8)
    await weir.send('POST', `/api/streams/${id}/stop`)
    const cli = cliOf(weir.url)
    const lines = async (...args: string[]) =>
      jsonLines<Line>((await cli('logs', 'logged', '--json', ...args)).out)
    const stored = await weir.logs(id)
    expect((await lines()).map(({ seq }) => seq)).toEqual(stored.slice(-20).map(({ seq }) => seq))
    expect((await lines('-n', '3')).map(({ seq }) => seq)).toEqual(stored.slice(-3).map(({ seq }) => seq))
    expect((await lines('--kind', 'error')).map(({ seq }) => seq)).toEqual([5])
    expect((await lines('--kind', 'error', '--kind', 'snapshot', '-n', '1'))[0]?.kind).not.toBe('exchange')
    expect(await lines('--since', '1h')).toHaveLength(stored.length)
    expect(await lines('--since', '2999-01-01')).toEqual([])
    const { out } = await cli('logs', id, '-k', 'error')
    expect(out).toMatch(/^20\S+Z +5 error .*500/)
  } finally {
    await weir.close()
  }
})

test('numbers that a double cannot hold keep their digits', async () => {
  const weir = await startTestWeir()
  try {
    const path = upstream.on(
      '/digits',
      () =>
        new Response('{"n":12345678901234567890.125}', { headers: { 'Content-Type': 'application/json' } }),
    )
    const { id } = await weir.register({ url: path, kind: 'poll', name: 'digits' })
    await weir.entry(id, 'the first', ({ seq }) => seq === 1)
    expect((await cliOf(weir.url)('logs', id, '--json')).out).toContain('12345678901234567890.125')
  } finally {
    await weir.close()
  }
})

test('logs -f of an unknown stream exits at once, and Ctrl-C exits cleanly while Weir is down', async () => {
  const weir = await startTestWeir()
  const missing = await cliOf(weir.url)('logs', crypto.randomUUID(), '-f')
  expect(missing).toMatchObject({ code: 5, out: '' })
  const { id } = await weir.register({
    url: upstream.on('/away', () => Response.json({})),
    kind: 'poll',
    name: 'x',
  })
  await weir.entry(id, 'the first', ({ seq }) => seq === 1)
  const follower = spawnCli(['logs', id, '-f'], { WEIR_URL: weir.url })
  await follower.says(/snapshot/)
  await weir.close()
  await follower.says(/is unreachable\. Retrying/, 'err')
  follower.child.kill('SIGINT')
  expect((await follower.ended()).code).toBe(0)
})
