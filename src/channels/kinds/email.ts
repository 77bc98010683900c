import { type Static, Type } from '@sinclair/typebox'
import type { NodemailerError } from 'nodemailer'
import { EgressError } from '../../net/egress.ts'
import { MAX_LOGGED_BODY_CHARS } from '../http.ts'
import type { AttemptOutcome, ChannelKind, SendError, SentRequest } from '../kind.ts'
import { MAX_STREAMS, type StoredMessage, truncate, withStreams } from '../message.ts'

/** Longest wait for a connection, and for a silent server, in milliseconds; the attempt's own timeout is longer. */
const CONNECT_MS = 8_000
const SILENCE_MS = 10_000
const MAX_RECIPIENTS = 20
const ADDRESS = '^[^\\s@<>,;:"\\\\]+@[^\\s@<>,;:"\\\\]+$'

const Address = (title: string) => Type.String({ title, pattern: ADDRESS, maxLength: 254 })

const schema = Type.Object({
  host: Type.String({
    title: 'SMTP server',
    minLength: 1,
    maxLength: 253,
    description: 'Host name of the mail server.',
  }),
  port: Type.Optional(
    Type.Integer({
      title: 'Port',
      minimum: 1,
      maximum: 65_535,
      description: 'Default: 587, or 465 with tls.',
    }),
  ),
  security: Type.Optional(
    Type.Union([Type.Literal('starttls'), Type.Literal('tls'), Type.Literal('none')], {
      title: 'Encryption',
      description: 'Default: starttls. With none, mail is sent unencrypted and without a password.',
    }),
  ),
  user: Type.Optional(Type.String({ title: 'User', maxLength: 254 })),
  password: Type.Optional(Type.String({ title: 'Password', maxLength: 1_024 })),
  from: Address('From'),
  to: Type.Array(Address('To'), {
    title: 'To',
    minItems: 1,
    maxItems: MAX_RECIPIENTS,
    description: 'One or more addresses, separated by commas.',
  }),
})
type Config = Static<typeof schema>

/** Mail over SMTP, as plain text. */
export const email: ChannelKind<Config> = {
  name: 'email',
  label: 'Email',
  schema,
  secrets: ['password'],
  credentials: ['password'],
  check({ user, password, security }) {
    if (password !== undefined && user === undefined) {
      return { field: 'user', detail: 'A password requires a user.' }
    }
    if (password !== undefined && security === 'none') {
      return { field: 'security', detail: 'A password requires encryption. Choose starttls or tls.' }
    }
    return undefined
  },
  target: (config) => ({ host: config.host, port: portOf(config) }),
  masks: ({ user = '', password = '' }) =>
    password === '' ? [] : [password, base64(password), base64(`\0${user}\0${password}`)],
  async send(config, message, tools) {
    const { host, security = 'starttls', user, password, from, to } = config
    const port = portOf(config)
    const mail = {
      from,
      to,
      subject: message.title,
      text: textOf(message),
      messageId: `<${tools.id}@weir.invalid>`,
      date: new Date(message.at),
      headers: { 'Auto-Submitted': 'auto-generated' },
    }
    const request = shown(mail, `smtp://${host}:${port}`)
    const startedAt = performance.now()
    const durationMs = () => Math.round(performance.now() - startedAt)
    try {
      // Loading it takes a tenth of Weir's start time, and few channels need it.
      const { createTransport } = await import('nodemailer')
      const [address = host] = await tools.resolve(host, port, tools.signal)
      const transport = createTransport({
        host: address,
        port,
        secure: security === 'tls',
        requireTLS: security === 'starttls',
        ignoreTLS: security === 'none',
        // Connects to the checked address; the certificate must match the configured name.
        tls: { servername: host },
        ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
        connectionTimeout: CONNECT_MS,
        greetingTimeout: SILENCE_MS,
        socketTimeout: SILENCE_MS,
        disableFileAccess: true,
        disableUrlAccess: true,
      })
      const sent = await transport.sendMail({ ...mail, signal: tools.signal })
      const body = [sent.response, ...sent.rejected.map((each) => `Rejected: ${each}`)].join('\n')
      const response = { status: statusOf(sent.response), headers: {}, body }
      return { request, response, durationMs: durationMs(), outcome: { result: 'delivered' } }
    } catch (error) {
      const { response, responseCode } = error as NodemailerError
      return {
        request,
        ...(response !== undefined && {
          response: { status: responseCode ?? statusOf(response), headers: {}, body: response },
        }),
        durationMs: durationMs(),
        outcome: failure(error, `${host}:${port}`, tools.signal),
      }
    }
  },
}

function portOf({ port, security }: Config): number {
  return port ?? (security === 'tls' ? 465 : 587)
}

function textOf(message: StoredMessage): string {
  const text = withStreams(message, MAX_STREAMS) || message.title
  return message.url === undefined ? text : `${text}\n\n${message.url}`
}

interface Mail {
  from: string
  to: string[]
  subject: string
  text: string
  messageId: string
}

function shown({ from, to, subject, text, messageId }: Mail, url: string): SentRequest {
  const headers = { from, to: to.join(', '), subject, 'message-id': messageId }
  return { method: 'SMTP', url, headers, body: truncate(text, MAX_LOGGED_BODY_CHARS) }
}

/** The status code at the start of an SMTP reply. */
function statusOf(response: string): number {
  return Number(response.slice(0, 3)) || 0
}

function failure(error: unknown, place: string, signal: AbortSignal): AttemptOutcome {
  if (signal.aborted) return { result: 'retry', error: signal.reason as SendError }
  if (error instanceof EgressError) {
    const { code, message } = error
    return { result: code === 'not_allowed' ? 'failed' : 'retry', error: { code, message } }
  }
  const { code = 'ECONNECTION', response, responseCode = 0 } = error as NodemailerError
  if (code === 'ETLS' || isCertificate(error)) {
    const message = `${place} doesn't offer trusted encryption (${reason(error)}).`
    return { result: 'retry', error: { code: 'bad_tls', message } }
  }
  if (responseCode > 0) {
    const message = `${place} rejected the message: ${(response ?? String(responseCode)).slice(0, 500)}`
    // 5xx is permanent; 503 is about the session, and 421 and the other 4xx are temporary.
    const isForGood = responseCode >= 500 && responseCode !== 503
    return { result: isForGood ? 'failed' : 'retry', error: { code: 'refused', message } }
  }
  if (code === 'ETIMEDOUT') {
    return { result: 'retry', error: { code: 'timeout', message: `${place} didn't respond in time.` } }
  }
  return {
    result: 'retry',
    error: { code: 'connection_failed', message: `Can't connect to ${place} (${code}).` },
  }
}

function isCertificate(error: unknown): boolean {
  return /certificate|CERT_|ALTNAME|SSL|TLS/i.test(reason(error))
}

function reason(error: unknown): string {
  const { code = '', message } = error as NodemailerError
  return `${code} ${message}`.trim().slice(0, 200)
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
