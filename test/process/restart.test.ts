import { afterAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { EventSource } from 'eventsource'
import { newDataDir } from '../support/data-dir.ts'
import { spawnWeir, type WeirProcess } from '../support/process.ts'
import { until } from '../support/until.ts'
import { Feed, startUpstream } from '../support/upstream.ts'

const dataDir = await newDataDir('weir-restart-')
const upstream = startUpstream()
const started: WeirProcess[] = []

afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await upstream.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

function start(port = '0'): WeirProcess {
  const weir = spawnWeir({ DATA_DIR: dataDir, PORT: port })
  started.push(weir)
  return weir
}

test('an EventSource across a restart gets every entry exactly once, in order', async () => {
  const feed = new Feed()
  let sent = 0
  const ticking = setInterval(() => feed.send(`id: ${++sent}\ndata: ${sent}\n\n`), 20)
  const first = start()
  const url = await first.url()
  const registered = await fetch(`${url}/api/streams`, {
    method: 'POST',
    body: JSON.stringify({
      url: upstream.on('/ticks', () => feed.response({}, 'retry: 10\n\n')),
      kind: 'sse',
    }),
  })
  const { id } = (await registered.json()) as { id: string }

  const got: number[] = []
  const others: string[] = []
  const source = new EventSource(`${url}/api/streams/${id}/events?lastEventId=0`)
  source.addEventListener('entry', ({ lastEventId }) => void got.push(Number(lastEventId)))
  source.addEventListener('gap', ({ data }) => void others.push(String(data)))
  let openings = 0
  source.addEventListener('open', () => void openings++)
  await until('entries come', () => got.length > 20)
  first.child.kill('SIGTERM')
  expect((await first.ended()).code).toBe(0)
  const before = got.length

  const second = start(new URL(url).port)
  await second.url()
  await until('entries come again', () => openings > 1 && got.length > before + 40)
  source.close()
  clearInterval(ticking)
  expect(got).toEqual(got.map((_, at) => at + 1))
  expect(others).toEqual([])
  second.child.kill('SIGTERM')
  expect((await second.ended()).code).toBe(0)
})
