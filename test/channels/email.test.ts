import { afterEach, expect, test } from 'bun:test'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import { masked, type Sending, type SendTools } from '../../src/channels/kind.ts'
import { channelKindOf } from '../../src/channels/kinds.ts'
import { storedMessage } from '../../src/channels/message.ts'
import { configOf } from '../../src/channels/registration.ts'
import { Egress } from '../../src/net/egress.ts'
import { until } from '../support/until.ts'

const ID = '019cba00-0000-7000-8000-000000000001'
const closers: (() => void)[] = []

afterEach(() => {
  for (const close of closers.splice(0)) close()
})

interface Mailbox {
  port: number
  mails: { from: string; to: string[]; text: string }[]
}

async function startMail(options: SMTPServerOptions = {}): Promise<Mailbox> {
  const mails: Mailbox['mails'] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    ...options,
    onData(stream, session, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope
        mails.push({ from: mailFrom ? mailFrom.address : '', to: rcptTo.map(({ address }) => address), text })
        done(null, 'kept')
      })
    },
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()))
  closers.push(() => server.close(() => {}))
  return { port: (server.server.address() as AddressInfo).port, mails }
}

/** A server that takes connections and does what it likes with them. */
async function startRaw(
  greet: (socket: { write(text: string): void }) => void,
): Promise<{ port: number; server: Server }> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    // Whoever doesn't read doesn't see that the other side has gone.
    socket.resume()
    greet(socket)
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, server }
}

async function send(
  config: Record<string, unknown>,
  signal = AbortSignal.timeout(20_000),
  title = 'Prices is stalled',
) {
  const kind = channelKindOf('email')
  if (kind === undefined) throw new Error('no e-mail')
  const egress = new Egress({ allowHosts: ['127.0.0.1'], isOpen: false, lookup: async () => ['127.0.0.1'] })
  const checked = configOf(kind, {
    from: 'weir@weir.test',
    to: ['a@people.test', 'b@people.test'],
    ...config,
  })
  const message = storedMessage({
    type: 'stream.stalled',
    title,
    text: 'No byte for 90 s.\n.\nStill a line.',
    at: new Date('2026-03-01T12:00:00Z'),
    severity: 'critical',
    url: 'http://localhost:3000/streams/1',
    streams: [],
  })
  const tools: SendTools = {
    id: ID,
    at: new Date(),
    signal,
    fetch: egress.fetch,
    resolve: (host, port, aborted) => egress.resolve(host, port, aborted),
  }
  const sending: Sending = await kind.send(checked, message, tools)
  return masked(sending, kind.masks(checked))
}

test('a mail arrives complete at all recipients, with the ID of its delivery', async () => {
  const { port, mails } = await startMail()
  const sending = await send(
    { host: 'mail.test', port, security: 'none' },
    undefined,
    'Stalled: Größe\r\nBcc: evil@x.test',
  )
  expect(sending).toMatchObject({
    outcome: { result: 'delivered' },
    response: { status: 250, body: '250 kept' },
  })
  expect(mails).toHaveLength(1)
  expect(mails[0]).toMatchObject({ from: 'weir@weir.test', to: ['a@people.test', 'b@people.test'] })
  expect(mails[0]?.text).toContain(`Message-ID: <${ID}@weir.invalid>`)
  expect(mails[0]?.text).not.toMatch(/^Bcc:/im)
  expect(mails[0]?.text).toContain('Still a line.')
  expect(mails[0]?.text).toContain('http://localhost:3000/streams/1')
})

test('a permanent refusal of a recipient or password isn’t retried; a busy server is', async () => {
  const refuses = (responseCode: number) =>
    startMail({
      onRcptTo: (_address, _session, done) =>
        done(Object.assign(new Error('no such mailbox'), { responseCode })),
    })
  const forGood = await refuses(550)
  const busy = await refuses(451)
  expect(await send({ host: 'mail.test', port: forGood.port, security: 'none' })).toMatchObject({
    response: { status: 550 },
    outcome: { result: 'failed', error: { code: 'refused' } },
  })
  expect(await send({ host: 'mail.test', port: busy.port, security: 'none' })).toMatchObject({
    outcome: { result: 'retry', error: { code: 'refused' } },
  })
})

test('no password is sent without encryption', async () => {
  let isAsked = false
  const { port, mails } = await startMail({
    onAuth: (_auth, _session, done) => {
      isAsked = true
      done(null, { user: 'u' })
    },
  })
  const sending = await send({ host: 'mail.test', port, user: 'u', password: 'a secret of mine' })
  expect(sending.outcome).toMatchObject({ result: 'retry', error: { code: 'bad_tls' } })
  expect(isAsked).toBe(false)
  expect(mails).toEqual([])
})

test('nothing is sent to a server with an untrusted certificate', async () => {
  const { port, mails } = await startMail({ disabledCommands: [] })
  const sending = await send({ host: 'mail.test', port, user: 'u', password: 'a secret of mine' })
  expect(sending.outcome).toMatchObject({ result: 'retry', error: { code: 'bad_tls' } })
  expect(JSON.stringify(sending)).not.toContain('a secret of mine')
  expect(mails).toEqual([])
})

test.each([
  { name: 'says nothing', greet: () => {} },
  {
    name: 'stops in the middle',
    greet: (socket: { write(text: string): void }) => socket.write('220 mail.test\r\n'),
  },
])('a server that $name is given up at the deadline', async ({ greet }) => {
  const { port, server } = await startRaw(greet)
  const connections: number[] = []
  server.on('connection', (socket) => {
    connections.push(1)
    socket.on('close', () => connections.pop())
  })
  const controller = new AbortController()
  const sending = send({ host: 'mail.test', port, security: 'none' }, controller.signal)
  await until('it is connected', () => connections.length === 1)
  controller.abort({ code: 'timeout', message: 'No complete answer within 15 s.' })
  expect((await sending).outcome).toMatchObject({ result: 'retry', error: { code: 'timeout' } })
  await until('the connection is gone', () => connections.length === 0)
})

test('a refused connection and an unknown host have different errors', async () => {
  expect((await send({ host: 'mail.test', port: 1, security: 'none' })).outcome).toMatchObject({
    result: 'retry',
    error: { code: 'connection_failed' },
  })
  expect((await send({ host: '10.1.2.3', port: 25, security: 'none' })).outcome).toMatchObject({
    result: 'failed',
    error: { code: 'not_allowed' },
  })
})
