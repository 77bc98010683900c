import { type Static, Type } from '@sinclair/typebox'
import { cutBytes } from '../escape.ts'
import { hostAndPortOf, post, urlFault, urlMasks } from '../http.ts'
import type { ChannelKind } from '../kind.ts'
import { type Severity, truncate, withStreams } from '../message.ts'

/** A longer message becomes an attachment. @see https://docs.ntfy.sh/publish/#limitations */
const MAX_MESSAGE_BYTES = 4_096
const MAX_TITLE_CHARS = 200
const MAX_STREAMS = 10
const TOPIC = /^[-_A-Za-z0-9]{1,64}$/

/** 3 is the default, 5 overrides Do Not Disturb. */
const PRIORITIES: Record<Severity, number> = { info: 3, warning: 4, critical: 5, resolved: 3 }
/** Shown as emoji. @see https://docs.ntfy.sh/emojis */
const TAGS: Record<Severity, string> = {
  info: 'information_source',
  warning: 'warning',
  critical: 'rotating_light',
  resolved: 'white_check_mark',
}

const schema = Type.Object({
  url: Type.String({
    title: 'Topic URL',
    maxLength: 2_048,
    description: 'For example https://ntfy.sh/your-topic. Anyone who knows the topic can read it.',
  }),
  token: Type.Optional(
    Type.String({ title: 'Access token', maxLength: 256, description: 'For protected topics.' }),
  ),
})
type Config = Static<typeof schema>

/** A topic on ntfy.sh or a self-hosted server. @see https://docs.ntfy.sh/publish/#publish-as-json */
export const ntfy: ChannelKind<Config> = {
  name: 'ntfy',
  label: 'ntfy',
  schema,
  secrets: ['url', 'token'],
  credentials: ['token'],
  check({ url, token }) {
    const detail = urlFault(url)
    if (detail !== undefined) return { field: 'url', detail }
    if (!TOPIC.test(partsOf(url).topic)) {
      return {
        field: 'url',
        detail: 'The URL must end with a topic, for example https://ntfy.sh/your-topic.',
      }
    }
    const isSendable = token === undefined || /^[\x21-\x7e]+$/.test(token)
    return isSendable
      ? undefined
      : { field: 'token', detail: "The token can't contain spaces or special characters." }
  },
  target: ({ url }) => hostAndPortOf(url),
  masks: ({ url, token = '' }) => [...urlMasks(url), partsOf(url).topic, token],
  send({ url, token }, message, tools) {
    const { base, topic } = partsOf(url)
    // Headers, the other way to publish, only support ASCII reliably.
    const body = JSON.stringify({
      topic,
      title: truncate(message.title, MAX_TITLE_CHARS),
      message: cutBytes(withStreams(message, MAX_STREAMS) || message.title, MAX_MESSAGE_BYTES),
      priority: PRIORITIES[message.severity],
      tags: [TAGS[message.severity]],
      ...(message.url && { click: message.url }),
    })
    const headers: Record<string, string> = token === undefined ? {} : { Authorization: `Bearer ${token}` }
    return post({ url: base + new URL(url).search, headers, body }, tools)
  },
}

function partsOf(url: string): { base: string; topic: string } {
  const { origin, pathname } = new URL(url)
  const path = pathname.replace(/\/+$/, '')
  const at = path.lastIndexOf('/')
  return { base: `${origin}${path.slice(0, at)}/`, topic: path.slice(at + 1) }
}
