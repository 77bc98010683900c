import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import type { LoggedEntry } from '../support/weir.ts'

let upstream: Upstream
let dataDir: string
const started: WeirProcess[] = []

beforeAll(async () => {
  upstream = startUpstream()
  dataDir = await newDataDir('weir-process-')
})

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await upstream.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

/** A process that ends with the tests, should one fail half way. */
function start(environment: Record<string, string> = {}): WeirProcess {
  const weir = spawnWeir({ DATA_DIR: dataDir, ...environment })
  started.push(weir)
  return weir
}

async function json<T>(url: string): Promise<T> {
  return (await fetch(url)).json() as Promise<T>
}

test('startup prints the address, the data location and how to start the simulation; SIGINT exits cleanly', async () => {
  const weir = start()
  const url = await weir.url()
  await until('it has said everything', () => weir.output().includes('Ctrl-C'))
  expect(weir.output()).toContain(dataDir)
  expect(weir.output()).toContain('bun run sim')
  const { id } = (await (
    await fetch(`${url}/api/streams`, {
      method: 'POST',
      body: JSON.stringify({ url: upstream.on('/ended', () => new Feed().response()), kind: 'sse' }),
    })
  ).json()) as { id: string }
  await until(
    'it is held',
    async () => (await json<{ run: unknown }>(`${url}/api/streams/${id}/status`)).run !== null,
  )
  weir.child.kill('SIGINT')
  const { code, output } = await weir.ended()
  expect(output).not.toContain('weir:')
  expect(code).toBe(0)
})

test('a second start on the same data or port is refused, with what to do', async () => {
  const first = start()
  const url = await first.url()
  const sameData = await start().ended()
  expect(sameData.code).toBe(1)
  expect(sameData.output).toContain('Another Weir is using')
  expect(sameData.output).toContain('DATA_DIR')
  const other = await newDataDir('weir-process-')
  const samePort = await start({ DATA_DIR: other, PORT: new URL(url).port }).ended()
  rmSync(other, { recursive: true, force: true })
  expect(samePort.code).toBe(1)
  expect(samePort.output).toContain('The port is already in use')
  first.child.kill('SIGTERM')
  expect((await first.ended()).code).toBe(0)
})

test('all invalid settings are reported at once, and nothing is opened', async () => {
  const { code, output } = await start({ PORT: 'high', HOST: '0.0.0.0', MAX_BODY_BYTES: '1' }).ended()
  expect(code).toBe(1)
  expect(output).toContain('PORT: ')
  expect(output).toContain('MAX_BODY_BYTES: ')
})

test('after kill -9 a new start resumes every stream, and no number is missing', async () => {
  const feed = new Feed()
  let version = 0
  const streamed = upstream.on('/numbers', () => feed.response({}, 'retry: 10\n\n'))
  const polled = upstream.on('/version', () => Response.json({ version: ++version, text: 'x'.repeat(200) }))
  const ticking = setInterval(() => feed.send(`id: ${Date.now()}\ndata: tick\n\n`), 100)

  const first = start()
  const url = await first.url()
  const ids: string[] = []
  for (const body of [
    { url: streamed, kind: 'sse' },
    { url: polled, kind: 'poll', intervalMs: 500 },
  ]) {
    const response = await fetch(`${url}/api/streams`, { method: 'POST', body: JSON.stringify(body) })
    ids.push(((await response.json()) as { id: string }).id)
  }
  const entries = async (base: string, id: string) =>
    (
      await (
        await fetch(`${base}/api/streams/${id}/logs`, { headers: { Accept: 'application/x-ndjson' } })
      ).text()
    )
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LoggedEntry)
  await until('both have entries', async () => {
    const logs = await Promise.all(ids.map((id) => entries(url, id)))
    return logs.every((log) => log.length > 5)
  })
  const acknowledged = await Promise.all(ids.map((id) => entries(url, id)))
  first.child.kill('SIGKILL')
  await first.ended()

  const second = start()
  const again = await second.url()
  await until('the streams go on', async () => {
    const logs = await Promise.all(ids.map((id) => entries(again, id)))
    return logs.every((log) =>
      log.some((entry) => entry.epoch === 2 && ['event', 'patch'].includes(entry.kind)),
    )
  })
  for (const [index, id] of ids.entries()) {
    const log = await entries(again, id)
    expect(log.map((entry) => entry.seq)).toEqual(log.map((_, position) => position + 1))
    expect(log.slice(0, acknowledged[index]?.length)).toEqual(acknowledged[index] as LoggedEntry[])
  }
  // The first patch of the new run goes on from the document of the old one: no snapshot was needed.
  const log = await entries(again, ids[1] as string)
  expect(log.find((entry) => entry.epoch === 2 && entry.changed)?.kind).toBe('patch')
  clearInterval(ticking)
  second.child.kill('SIGTERM')
  expect((await second.ended()).code).toBe(0)
})
