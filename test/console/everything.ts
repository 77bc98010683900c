import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { worldOn } from '../incidents/support.ts'
import { openStorage } from '../support/data-dir.ts'
import { Feed, startUpstream, type Upstream } from '../support/upstream.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'

/** A Weir that has something of everything, so that no page of it is empty. */
export interface Everything {
  weir: TestWeir
  upstream: Upstream
  feed: Feed
  polled: string
  followed: string
  incident: string
  channel: string
  close(): Promise<void>
}

export async function startEverything(environment: Record<string, string> = {}): Promise<Everything> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-test-'))
  await addIncident(directory)
  const weir = await startTestWeir({ ...environment, DATA_DIR: directory })
  const upstream = startUpstream()
  const feed = new Feed()
  const json = upstream.on('/json', (_request, hit) =>
    Response.json({ hit, items: [{ id: 1, price: hit * 2 }] }),
  )
  const polled = await weir.register({
    url: json,
    kind: 'poll',
    intervalMs: 500,
    name: 'Prices',
    tags: ['shop'],
  })
  await weir.send('POST', `/api/streams/${polled.id}/twin`)
  const sse = upstream.on('/sse', () => feed.response())
  const followed = await weir.register({ url: sse, kind: 'sse', name: 'Orders', tags: ['shop'] })
  const url = upstream.on('/hook', () => new Response('thanks'))
  const target = {
    kind: 'webhook',
    config: { url, secret: `whsec_${btoa('0123456789abcdef0123456789abcdef')}` },
  }
  const added = await weir.send('POST', '/api/channels', { name: 'Night shift', ...target })
  if (added.status !== 201) throw new Error(await added.text())
  const { id: channel } = (await added.json()) as { id: string }
  await weir.send('POST', `/api/channels/${channel}/test`)
  await weir.send('POST', '/api/rules', { name: 'Errors', kind: 'errorRate', params: { above: 0.5 } })
  const endsAt = new Date(Date.now() + 3_600_000).toISOString()
  await weir.send('POST', '/api/silences', { reason: 'The shop moves', tag: 'shop', endsAt })
  const calls = [
    { from: 'UI', to: 'D', status: 200 },
    { from: 'D', to: 'E', status: 500 },
  ]
  await weir.send('POST', '/api/topology', { services: [{ id: 'UI' }, { id: 'D' }, { id: 'E' }], calls })
  const { items } = await weir.json<{ items: { id: string }[] }>('/api/incidents')
  await weir.entry(polled.id, 'it was polled', ({ seq }) => seq > 1)
  return {
    ...{ weir, upstream, feed, channel, polled: polled.id, followed: followed.id },
    incident: items[0]?.id ?? '',
    async close() {
      await weir.close()
      await upstream.stop()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** One that was opened an hour ago: what takes Weir a quarter of an hour to find by itself. */
export async function addIncident(directory: string): Promise<void> {
  const storage = await openStorage({ databaseUrl: undefined, dataDir: directory })
  const world = worldOn(storage, () => storage.close())
  world.now = Date.now() - 3_600_000
  const ids = await world.add(1, () => 'gone.test', { name: 'Gone' })
  await world.set(ids, 'dead')
  await world.look(20)
  await world.close()
}
