import { afterAll, beforeAll, expect, test } from 'bun:test'
import { until } from '../support/until.ts'
import { startTestWeir, type TestWeir } from '../support/weir.ts'
import { type Receiver, SECRET, startReceiver } from './receiver.ts'

interface Problem {
  status: number
  code: string
  field?: string
  detail: string
}
interface Channel {
  id: string
  target: string
  config: Record<string, unknown>
  lastDelivery: { status: string; error: { code: string } | null } | null
}

let receiver: Receiver
let weir: TestWeir
let streamUrl: string

beforeAll(async () => {
  receiver = startReceiver()
  streamUrl = receiver.upstream.on('/api', () => Response.json({}))
  weir = await startTestWeir()
})

afterAll(async () => {
  expect(weir.warnings).toEqual([])
  await weir.close()
  await receiver.upstream.stop()
})

async function add(channel: Record<string, unknown>): Promise<Channel> {
  const response = await weir.send('POST', '/api/channels', channel)
  if (response.status !== 201) throw new Error(await response.text())
  return response.json() as Promise<Channel>
}

async function problem(method: string, path: string, body?: unknown): Promise<Problem> {
  const response = await weir.send(method, path, body)
  expect(response.headers.get('content-type')).toContain('application/problem+json')
  return response.json() as Promise<Problem>
}

const hook = (name: string, path = `/${name}`) => ({
  name,
  kind: 'webhook',
  config: { url: receiver.take(path), secret: SECRET },
})

async function notified(streamId: string): Promise<string[]> {
  const response = await weir.send('POST', `/api/streams/${streamId}/notify`, { message: 'Hello' })
  const { channels } = (await response.json()) as { channels?: { name: string }[] }
  return (channels ?? []).map(({ name }) => name)
}

test('a channel is added, read, changed and removed', async () => {
  const response = await weir.send('POST', '/api/channels', { ...hook('crud'), tags: ['shop'] })
  const { id } = (await response.json()) as Channel
  expect(response.status).toBe(201)
  expect(response.headers.get('location')).toBe(`/api/channels/${id}`)
  expect(await weir.json(`/api/channels/${id}`)).toMatchObject({
    name: 'crud',
    target: new URL(receiver.upstream.url).host,
    config: { url: '•••', secret: '•••' },
    tags: ['shop'],
    isDefault: false,
    lastDelivery: null,
  })
  const changed = await weir.send('PATCH', `/api/channels/${id}`, {
    name: 'renamed',
    config: { url: receiver.take('/crud-2') },
  })
  expect(changed.status).toBe(200)
  const tried = await weir.send('POST', `/api/channels/${id}/test`)
  expect(await tried.json()).toMatchObject({
    result: 'delivered',
    response: { status: 204 },
    request: { method: 'POST' },
  })
  // The secret that was not sent again still signs.
  expect(receiver.received('/crud-2')[0]?.headers['webhook-signature']).toStartWith('v1,')
  expect((await weir.send('DELETE', `/api/channels/${id}`)).status).toBe(204)
  expect((await problem('GET', `/api/channels/${id}`)).code).toBe('not_found')
})

test.each([
  [{ kind: 'webhook', config: {} }, 'name'],
  [{ name: 'a', kind: 'pigeon', config: {} }, 'kind'],
  [{ name: 'a', kind: 'slack' }, 'config'],
  [{ name: 'a', kind: 'slack', config: { url: 'ftp://x.test' } }, 'config.url'],
  [{ name: 'a', kind: 'slack', config: { url: 'http://nowhere.invalid/x' } }, 'config.url'],
  [
    { name: 'a', kind: 'email', config: { host: 'nowhere.invalid', from: 'a@b.test', to: ['a@b.test'] } },
    'config.host',
  ],
  [{ name: 'a', kind: 'slack', config: { url: 'http://localhost/' }, shade: 'red' }, 'shade'],
])('%j is refused at %s', async (channel, field) => {
  expect(await problem('POST', '/api/channels', channel)).toMatchObject({ status: 422, field })
})

test('names are unique', async () => {
  await add(hook('only one'))
  const { id } = await add(hook('another'))
  expect(await problem('POST', '/api/channels', hook('only one'))).toMatchObject({
    code: 'conflict',
    field: 'name',
  })
  expect(await problem('PATCH', `/api/channels/${id}`, { name: 'only one' })).toMatchObject({
    code: 'conflict',
  })
})

test('a test message shows what went wrong, and is stored', async () => {
  const { id } = await add({
    name: 'refusing',
    kind: 'slack',
    config: { url: 'http://127.0.0.1:1/services/top-secret' },
  })
  const tried = await (
    await weir.send('POST', `/api/channels/${id}/test`, { message: 'Can you hear me?' })
  ).json()
  expect(tried).toMatchObject({ result: 'failed', error: { code: 'connection_failed' }, response: null })
  expect((await weir.json<Channel>(`/api/channels/${id}`)).lastDelivery).toMatchObject({
    status: 'failed',
    error: { code: 'connection_failed' },
  })
  const { items } = await weir.json<{ items: { type: string; status: string }[] }>(
    `/api/channels/${id}/deliveries`,
  )
  expect(items).toMatchObject([
    { type: 'test', status: 'failed', attempts: [{ error: { code: 'connection_failed' } }] },
  ])
})

test('a stream uses its own channels, else those of its tags, else the default ones', async () => {
  const [own, tagged, fallback] = [hook('own'), hook('tagged'), hook('fallback')]
  const { id: ownId } = await add(own)
  await add({ ...tagged, tags: ['eu', 'us'] })
  const { id: fallbackId } = await add(fallback)
  const register = (more: Record<string, unknown>) =>
    weir.register({ url: streamUrl, kind: 'poll', start: false, ...more })
  const byId = await register({ notify: [ownId], tags: ['eu'] })
  const byName = await register({ notify: ['own', 'tagged'] })
  const byTag = await register({ tags: ['x', 'us'] })
  const byLost = await register({ notify: ['was removed'], tags: ['eu'] })
  const orphan = await register({ name: 'Orphan' })
  expect(await notified(byId.id)).toEqual(['own'])
  expect(await notified(byName.id)).toEqual(['own', 'tagged'])
  expect(await notified(byTag.id)).toEqual(['tagged'])
  expect(await notified(byLost.id)).toEqual(['tagged'])
  const nobody = await problem('POST', `/api/streams/${orphan.id}/notify`, { message: 'Hello' })
  expect(nobody).toMatchObject({ status: 409, code: 'conflict' })
  expect(nobody.detail).toMatch(/No channel is responsible for Orphan.*default/)
  await weir.send('PATCH', `/api/channels/${fallbackId}`, { isDefault: true })
  expect(await notified(orphan.id)).toEqual(['fallback'])
  await weir.send('POST', `/api/channels/${ownId}/suspend`)
  expect(await notified(byId.id)).toEqual(['tagged'])
})

test.each([{}, { message: '' }, { message: '  ' }, { message: 'a'.repeat(2_001) }, { message: 1 }])(
  'a notification of %j is refused',
  async (body) => {
    const { id } = await weir.register({ url: streamUrl, kind: 'poll', start: false })
    expect(await problem('POST', `/api/streams/${id}/notify`, body)).toMatchObject({
      status: 422,
      field: 'message',
    })
  },
)

test('deliveries are paged, newest first, by status', async () => {
  const { id } = await add(hook('paged'))
  const sent: string[] = []
  for (let index = 0; index < 5; index++) {
    const tried = await weir.send('POST', `/api/channels/${id}/test`)
    sent.unshift(((await tried.json()) as { deliveryId: string }).deliveryId)
  }
  const seen: string[] = []
  let after = ''
  do {
    const page = await weir.json<{ items: { id: string }[]; next: string | null }>(
      `/api/channels/${id}/deliveries?limit=2&status=delivered${after}`,
    )
    seen.push(...page.items.map((each) => each.id))
    after = page.next === null ? '' : `&after=${page.next}`
  } while (after !== '')
  expect(seen).toEqual(sent)
  expect(
    (await weir.json<{ items: unknown[] }>(`/api/channels/${id}/deliveries?status=failed`)).items,
  ).toEqual([])
})

test('a Weir reachable by others sends nothing to private addresses unless allowed', async () => {
  const [target] = receiver.upstream.url.split('//').slice(-1)
  const guarded = await startTestWeir({
    HOST: '0.0.0.0',
    WEIR_TOKEN: 'a-token-long-enough',
    ALLOW_HOSTS: String(target),
  })
  const send = (body: unknown) =>
    fetch(`${guarded.url.replace('0.0.0.0', '127.0.0.1')}/api/channels`, {
      method: 'POST',
      headers: { Authorization: 'Bearer a-token-long-enough' },
      body: JSON.stringify(body),
    })
  const refused = await send({ name: 'a', kind: 'slack', config: { url: 'http://2130706433:1/x' } })
  expect(refused.status).toBe(422)
  expect(await refused.json()).toMatchObject({ code: 'not_allowed', field: 'config.url' })
  const mail = { host: '127.0.0.1', from: 'a@b.test', to: ['a@b.test'] }
  expect(await (await send({ name: 'b', kind: 'email', config: mail })).json()).toMatchObject({
    code: 'not_allowed',
  })
  expect((await send({ ...hook('allowed') })).status).toBe(201)
  await guarded.close()
})

test('secrets appear nowhere: not in responses, pages, attempts, the board or warnings', async () => {
  const secrets = [
    'very-secret-path',
    'alsosecret',
    SECRET.slice(6),
    'tk_protected',
    'hunter2hunter2',
    'secret-topic',
  ]
  // Receivers that repeat what they were told.
  const echo = (path: string, ...said: string[]) =>
    receiver.take(
      path,
      () => new Response(said.join(' '), { status: 500, headers: { 'X-Echo': said.join(' ') } }),
    )
  const url = `${echo('/hooks/very-secret-path', 'very-secret-path', 'alsosecret')}?key=alsosecret`
  echo('/', 'secret-topic', 'tk_protected')
  const configs = {
    webhook: { url, secret: SECRET, previousSecret: SECRET },
    slack: { url },
    discord: { url },
    ntfy: { url: `${receiver.upstream.url}/secret-topic`, token: 'tk_protected' },
    email: {
      host: '127.0.0.1',
      port: 1,
      user: 'me',
      password: 'hunter2hunter2',
      from: 'a@b.test',
      to: ['a@b.test'],
    },
  }
  const texts: string[] = []
  const ids: string[] = []
  for (const [kind, config] of Object.entries(configs)) {
    const response = await weir.send('POST', '/api/channels', { name: `Secretive ${kind}`, kind, config })
    const text = await response.text()
    texts.push(text)
    const { id } = JSON.parse(text) as Channel
    ids.push(id)
    texts.push(await (await weir.send('POST', `/api/channels/${id}/test`)).text())
    texts.push(
      await (await weir.send('PATCH', `/api/channels/${id}`, { config: { ...config, nonsense: 1 } })).text(),
    )
    texts.push(
      await (
        await weir.send('POST', '/api/channels', { name: 'x', kind, config: { ...config, nonsense: 1 } })
      ).text(),
    )
  }
  const { id: streamId } = await weir.register({ url: streamUrl, kind: 'poll', start: false, notify: ids })
  expect(await notified(streamId)).toHaveLength(ids.length)
  await until('all were tried', async () => {
    const pages = await Promise.all(
      ids.map((id) => weir.json<{ items: { attempts: unknown[] }[] }>(`/api/channels/${id}/deliveries`)),
    )
    return pages.every(
      ({ items }) => items.length === 2 && items.every(({ attempts }) => attempts.length > 0),
    )
  })
  const board = await until('the board shows a delivery that waits', async () => {
    const shown = await weir.get('/jobs/api/queues?activeQueue=deliveries&status=delayed&page=1')
    const text = await shown.text()
    return ids.some((id) => text.includes(`/channels/${id}`)) && text
  })
  texts.push(board)
  const paths = ['/api/channels', '/channels']
  for (const id of ids) paths.push(`/api/channels/${id}`, `/api/channels/${id}/deliveries`, `/channels/${id}`)
  for (const path of paths) texts.push(await (await weir.get(path)).text())
  for (const secret of secrets) {
    for (const text of [...texts, ...weir.warnings]) expect(text).not.toContain(secret)
  }
  expect(texts.join()).toContain('•••')
})
