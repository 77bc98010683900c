import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import type { Sending, SendTools } from '../../src/channels/kind.ts'
import { masked } from '../../src/channels/kind.ts'
import { CHANNEL_KINDS, channelKindOf } from '../../src/channels/kinds.ts'
import {
  MAX_MESSAGE_CHARS,
  MAX_TITLE_CHARS,
  type Message,
  storedMessage,
} from '../../src/channels/message.ts'
import { configOf, knownKind } from '../../src/channels/registration.ts'
import { Problem } from '../../src/errors.ts'
import { Egress } from '../../src/net/egress.ts'
import { type Receiver, SECRET, startReceiver } from './receiver.ts'

const ID = '019cba00-0000-7000-8000-000000000001'
const egress = new Egress({ allowHosts: [], isOpen: true })
let receiver: Receiver

beforeAll(() => {
  receiver = startReceiver()
})

afterAll(() => receiver.upstream.stop())

const BASE: Message = {
  type: 'stream.stalled',
  title: 'Prices is stalled',
  text: 'No byte for 90 s.',
  at: new Date('2026-03-01T12:00:00Z'),
  severity: 'critical',
  url: 'http://localhost:3000/streams/1',
  streams: [{ id: '1', name: 'Prices', url: 'http://localhost:3000/streams/1' }],
}
/** What a stream's name could be to break out of the text. */
const HOSTILE = '@everyone <@123> <!channel> [pay](https://evil.test) *b* `c` ||d|| \u202egnp.exe </b>&\n# h'
const LONG: Partial<Message> = {
  title: '<&>'.repeat(MAX_TITLE_CHARS),
  text: '<&>é😀'.repeat(MAX_MESSAGE_CHARS),
  streams: Array.from({ length: 500 }, (_, index) => ({
    id: `${index}`,
    name: `${HOSTILE}${index}`,
    url: 'http://x.test/',
  })),
}

async function send(
  name: string,
  config: Record<string, unknown>,
  message: Partial<Message> = {},
  at = new Date(),
): Promise<Sending> {
  const kind = channelKindOf(name)
  if (kind === undefined) throw new Error(`no kind ${name}`)
  const tools: SendTools = {
    id: ID,
    at,
    signal: AbortSignal.timeout(5_000),
    fetch: egress.fetch,
    resolve: (host, port, signal) => egress.resolve(host, port, signal),
  }
  const checked = configOf(kind, config)
  return masked(await kind.send(checked, storedMessage({ ...BASE, ...message }), tools), kind.masks(checked))
}

function last<T>(path: string): T {
  const body = receiver.received(path).at(-1)?.body
  if (body === undefined) throw new Error('Nothing came')
  return JSON.parse(body) as T
}

test('a webhook is signed with both secrets during a change', async () => {
  const next = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  const url = receiver.take('/rotating')
  await send('webhook', { url, secret: next, previousSecret: SECRET }, { data: { a: 1 } })
  const received = receiver.received('/rotating')[0]
  if (received === undefined) throw new Error('Nothing came')
  for (const secret of [next, SECRET]) {
    expect(new Webhook(secret).verify(received.body, received.headers)).toMatchObject({
      type: 'stream.stalled',
      timestamp: '2026-03-01T12:00:00.000Z',
      data: { title: BASE.title, severity: 'critical', data: { a: 1 }, streamCount: 1 },
    })
  }
  expect(received.headers['webhook-signature']?.split(' ')).toHaveLength(2)
  const other = new Webhook(`whsec_${Buffer.alloc(24, 8).toString('base64')}`)
  expect(() => other.verify(received.body, received.headers)).toThrow()
})

test('a signature is the HMAC that Standard Webhooks defines, for secrets with and without padding', async () => {
  const key = Buffer.alloc(25, 9)
  const url = receiver.take('/hmac')
  const at = new Date('2026-03-01T12:00:00.900Z')
  for (const secret of [key.toString('base64'), key.toString('base64').replaceAll('=', '')]) {
    await send('webhook', { url, secret: `whsec_${secret}` }, { text: 'é😀'.repeat(1_000) }, at)
    const { body, headers } = receiver.received('/hmac').at(-1) ?? { body: '', headers: {} }
    const signed = createHmac('sha256', key).update(`${ID}.1772366400.${body}`).digest('base64')
    expect(headers).toMatchObject({
      'webhook-id': ID,
      'webhook-timestamp': '1772366400',
      'webhook-signature': `v1,${signed}`,
    })
  }
})

test('a changed secret keeps signing next to the new one until removed', () => {
  const kind = channelKindOf('webhook')
  if (kind === undefined) throw new Error('no webhook')
  const next = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  const before = configOf(kind, { url: 'https://hooks.test/1', secret: SECRET })
  const rotated = configOf(kind, { secret: next }, before)
  expect(rotated).toEqual({ url: 'https://hooks.test/1', secret: next, previousSecret: SECRET })
  expect(configOf(kind, { url: '•••', secret: '•••' }, rotated)).toEqual(rotated)
  expect(configOf(kind, { previousSecret: null }, rotated)).toEqual({
    url: 'https://hooks.test/1',
    secret: next,
  })
})

interface SlackBody {
  text?: string
  attachments: { title: string; text: string; fallback: string; color: string; mrkdwn_in: string[] }[]
}

test('text for Slack contains no markup, mentions or links, and fits its limits', async () => {
  const url = receiver.take('/services/T0/B0/slackslackslack')
  await send('slack', { url }, { title: HOSTILE, text: HOSTILE })
  const path = '/services/T0/B0/slackslackslack'
  const { attachments, text } = last<SlackBody>(path)
  const written = attachments[0]?.text ?? ''
  expect(text).toBeUndefined()
  expect(written).not.toMatch(/<|>|@everyone|\]\(|\u202e/)
  expect(written).toContain('&lt;!channel&gt;')
  await send('slack', { url }, LONG)
  const long = last<SlackBody>(path).attachments[0]
  expect(long?.title.length).toBeLessThanOrEqual(250)
  expect(long?.text.length).toBeLessThanOrEqual(3_000)
  expect(long?.text.length).toBeGreaterThan(2_900)
  expect(`${long?.title}${long?.text}`).not.toMatch(/&(?!(amp|lt|gt);)/)
})

interface DiscordBody {
  allowed_mentions: { parse: string[] }
  embeds: { title: string; description: string }[]
}

test('text for Discord contains no markup, mentions or links, and fits its limits', async () => {
  const path = '/api/webhooks/1/discorddiscord'
  const url = receiver.take(path)
  await send('discord', { url }, { title: HOSTILE, text: HOSTILE, url: undefined })
  const { allowed_mentions, embeds } = last<DiscordBody>(path)
  const written = embeds[0]?.description ?? ''
  expect(allowed_mentions).toEqual({ parse: [] })
  expect(written).not.toMatch(/(?<!\\)[*_~`|<>[\]()#]|@everyone/)
  await send('discord', { url }, LONG)
  const long = last<DiscordBody>(path).embeds[0]
  expect(long?.title.length).toBeLessThanOrEqual(256)
  expect(long?.description.length).toBeLessThanOrEqual(4_096)
  expect(long?.description).toEndWith(BASE.url ?? '')
  expect(long?.description.isWellFormed()).toBe(true)
})

test('ntfy gets JSON with the token, within 4,096 bytes', async () => {
  const url = `${receiver.upstream.url}/base/weir-topic_1`
  receiver.take('/base/')
  const sending = await send('ntfy', { url, token: 'tk_verysecret' }, LONG)
  const body = last<{ topic: string; message: string; priority: number; click: string }>('/base/')
  expect(body).toMatchObject({ topic: 'weir-topic_1', priority: 5, click: BASE.url })
  expect(Buffer.byteLength(body.message)).toBeLessThanOrEqual(4_096)
  expect(Buffer.byteLength(body.message)).toBeGreaterThan(4_000)
  expect(body.message.isWellFormed()).toBe(true)
  expect(receiver.received('/base/')[0]?.headers.authorization).toBe('Bearer tk_verysecret')
  expect(sending.outcome).toEqual({ result: 'delivered' })
})

test('ntfy keeps the query of the topic URL, which may hold the credentials, and shows none of it', async () => {
  receiver.take('/base/')
  const url = `${receiver.upstream.url}/base/weir-topic_1?auth=QmVhcmVyIHRr`
  const sending = await send('ntfy', { url }, LONG)
  const [request] = receiver.upstream.requests.get('/base/')?.slice(-1) ?? []
  expect(new URL(request?.url ?? '').search).toBe('?auth=QmVhcmVyIHRr')
  expect(sending.outcome).toEqual({ result: 'delivered' })
  expect(JSON.stringify(sending)).not.toContain('QmVhcmVyIHRr')
})

test.each([
  { kind: 'webhook', path: '/gone/webhook-secret-path', status: 410, result: 'gone' },
  { kind: 'webhook', path: '/gone/webhook-secret-path', status: 404, result: 'failed' },
  { kind: 'slack', path: '/gone/slack-secret-path', status: 404, result: 'gone' },
  { kind: 'discord', path: '/gone/discord-secret-path', status: 404, result: 'gone' },
  { kind: 'ntfy', path: '/gone/', status: 404, result: 'failed' },
])('$status from $kind means $result', async ({ kind, path, status, result }) => {
  const url = receiver.take(path, () => new Response(null, { status }))
  const config =
    kind === 'webhook' ? { url, secret: SECRET } : { url: kind === 'ntfy' ? `${url}topic-1` : url }
  expect((await send(kind, config)).outcome.result).toBe(result as 'gone')
})

test('secrets in a response are hidden, and the response is truncated', async () => {
  const path = '/hooks/very-secret-part'
  const url = receiver.take(path, () => {
    const said = `${receiver.upstream.url}${path}?key=alsosecret very-secret-part ${SECRET}`
    return new Response(`${said} ${'x'.repeat(100_000)}`, {
      status: 500,
      headers: { 'X-Echo': said, 'Set-Cookie': 'a=b' },
    })
  })
  const sending = await send('webhook', { url: `${url}?key=alsosecret`, secret: SECRET })
  const text = JSON.stringify(sending)
  expect(text).not.toMatch(/very-secret-part|alsosecret|whsec_|a=b/)
  expect(sending.request?.url).toBe(`${receiver.upstream.url}/•••`)
  expect(sending.response?.body.length).toBeLessThan(5_000)
})

test('an endless response is truncated', async () => {
  let chunks = 0
  const url = receiver.take('/endless', () => {
    const body = new ReadableStream({
      pull: (controller) => {
        chunks++
        controller.enqueue(new Uint8Array(65_536).fill(120))
      },
    })
    return new Response(body)
  })
  const sending = await send('webhook', { url, secret: SECRET })
  expect(sending.outcome.result).toBe('delivered')
  expect(sending.response?.body).toHaveLength(4_097)
  // No more than what lies in the buffers on the way.
  expect(chunks).toBeLessThan(500)
})

const WRONG: [string, Record<string, unknown>, string][] = [
  ['webhook', { url: 'https://a.test/' }, 'config.secret'],
  ['webhook', { url: 'https://a.test/', secret: 'whsec_c2hvcnQ=' }, 'config.secret'],
  ['webhook', { url: 'https://a.test/', secret: 'no prefix' }, 'config.secret'],
  ['webhook', { url: 'ftp://a.test/', secret: SECRET }, 'config.url'],
  ['webhook', { url: 'https://u:p@a.test/', secret: SECRET }, 'config.url'],
  ['webhook', { url: 'https://a.test/', secret: SECRET, extra: 1 }, 'config.extra'],
  ['slack', { url: 'not a url' }, 'config.url'],
  ['slack', {}, 'config.url'],
  ['ntfy', { url: 'https://ntfy.sh/' }, 'config.url'],
  ['ntfy', { url: 'https://ntfy.sh/topic', token: 'with space' }, 'config.token'],
  ['email', { host: 'mail.test', from: 'a@b.test', to: [] }, 'config.to'],
  ['email', { host: 'mail.test', from: 'no address', to: ['a@b.test'] }, 'config.from'],
  ['email', { host: 'm.test', from: 'a@b.test', to: ['a@b.test\r\nBcc: c@d.test'] }, 'config.to'],
  ['email', { host: 'm.test', from: 'a@b.test', to: ['a@b.test'], port: 70_000 }, 'config.port'],
  [
    'email',
    { host: 'm.test', from: 'a@b.test', to: ['a@b.test'], user: 'u', password: 'p', security: 'none' },
    'config.security',
  ],
]

test.each(WRONG)('%s refuses %j at %s', (name, config, field) => {
  const kind = channelKindOf(name)
  if (kind === undefined) throw new Error(`no kind ${name}`)
  let thrown: unknown
  try {
    configOf(kind, config)
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(Problem)
  expect((thrown as Problem).field).toBe(field)
  expect((thrown as Problem).detail).not.toContain(SECRET)
})

test('every field of every kind has a title, and every secret is a field', () => {
  for (const { schema, secrets } of CHANNEL_KINDS) {
    for (const field of Object.values(schema.properties)) expect(field.title).toBeString()
    expect(Object.keys(schema.properties)).toEqual(expect.arrayContaining([...secrets]))
  }
})

const MAIL = { host: 'mail.test', user: 'u', password: 'x', from: 'a@b.test', to: ['c@d.test'] }
test.each<[string, string, Record<string, unknown>, Record<string, unknown>, string]>([
  ['a mail server’s password for another server', 'email', MAIL, { host: 'other.test' }, 'password'],
  ['a mail server’s password for another port', 'email', MAIL, { port: 2_525 }, 'password'],
  [
    'a token for another host',
    'ntfy',
    { url: 'https://a.test/t', token: 'x' },
    { url: 'https://b.test/t' },
    'token',
  ],
  [
    'a token in clear',
    'ntfy',
    { url: 'https://a.test/t', token: 'x' },
    { url: 'http://a.test:443/t' },
    'token',
  ],
])('%s must be entered again', (_what, name, before, elsewhere, secret) => {
  const kind = knownKind(name)
  for (const given of [elsewhere, { ...elsewhere, [secret]: '•••' }]) {
    expect(() => configOf(kind, given, before)).toThrow(
      expect.objectContaining({ code: 'invalid_field', field: `config.${secret}` }),
    )
  }
  expect(configOf(kind, { ...elsewhere, [secret]: 'new' }, before)).toMatchObject({ [secret]: 'new' })
  expect(configOf(kind, { ...elsewhere, [secret]: null }, before)[secret]).toBeUndefined()
  expect(configOf(kind, {}, before)).toEqual(before)
})
