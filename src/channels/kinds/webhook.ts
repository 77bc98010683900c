import { randomBytes } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { Webhook } from 'standardwebhooks'
import { hostAndPortOf, post, urlFault, urlMasks } from '../http.ts'
import type { ChannelKind } from '../kind.ts'
import type { StoredMessage } from '../message.ts'

/** Bytes of a secret, as Standard Webhooks asks for. */
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
const PREFIX = 'whsec_'

const Secret = (title: string, description: string) =>
  Type.String({ title, description, pattern: `^${PREFIX}[A-Za-z0-9+/]+={0,2}$`, maxLength: 128 })

const schema = Type.Object({
  url: Type.String({ title: 'URL', maxLength: 2_048, description: 'Receives each message as a JSON POST.' }),
  secret: Secret(
    'Secret',
    `${PREFIX} and ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} random bytes in base64. Signs each message; give it to the receiver.`,
  ),
  previousSecret: Type.Optional(
    Secret(
      'Previous secret',
      'Signs in addition to the current secret until removed. When you change the secret, the old one moves here.',
    ),
  ),
})
type Config = Static<typeof schema>

/**
 * Any HTTP endpoint, signed as defined by Standard Webhooks.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const webhook: ChannelKind<Config> = {
  name: 'webhook',
  label: 'Webhook',
  schema,
  secrets: ['url', 'secret', 'previousSecret'],
  example: () => ({ secret: `${PREFIX}${randomBytes(32).toString('base64')}` }),
  check(config) {
    const fault = urlFault(config.url)
    if (fault !== undefined) return { field: 'url', detail: fault }
    for (const field of ['secret', 'previousSecret'] as const) {
      const bytes = config[field] === undefined ? undefined : keyOf(config[field]).byteLength
      if (bytes === undefined || (bytes >= MIN_SECRET_BYTES && bytes <= MAX_SECRET_BYTES)) continue
      return {
        field,
        detail: `A secret must be ${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} bytes, not ${bytes}.`,
      }
    }
    return undefined
  },
  succeed(before, after) {
    const isRotated = after.secret !== before.secret && after.previousSecret === before.previousSecret
    return isRotated ? { ...after, previousSecret: before.secret } : after
  },
  target: ({ url }) => hostAndPortOf(url),
  masks: ({ url, secret, previousSecret }) => [
    ...urlMasks(url),
    ...[secret, previousSecret ?? ''].flatMap((each) => [each, each.slice(PREFIX.length)]),
  ],
  send({ url, secret, previousSecret }, message, tools) {
    const body = payload(message)
    const secrets = previousSecret === undefined ? [secret] : [secret, previousSecret]
    // As raw bytes, because the library's own decoder is stricter than the secrets that are stored.
    const signatures = secrets.map((each) =>
      new Webhook(keyOf(each), { format: 'raw' }).sign(tools.id, tools.at, body),
    )
    const headers = {
      'webhook-id': tools.id,
      'webhook-timestamp': String(Math.floor(tools.at.getTime() / 1_000)),
      'webhook-signature': signatures.join(' '),
    }
    return post({ url, headers, body }, tools)
  },
}

function payload({ type, at, ...data }: StoredMessage): string {
  return JSON.stringify({ type, timestamp: at, data })
}

function keyOf(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), 'base64')
}
