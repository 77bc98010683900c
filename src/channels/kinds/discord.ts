import { type Static, Type } from '@sinclair/typebox'
import { escaped, ZERO_WIDTH_SPACE } from '../escape.ts'
import { hostAndPortOf, post, urlFault, urlMasks } from '../http.ts'
import type { ChannelKind } from '../kind.ts'
import { type Severity, withStreams } from '../message.ts'

/** Limits of an embed. @see https://discord.com/developers/docs/resources/message#embed-object-embed-limits */
const MAX_TITLE_CHARS = 256
const MAX_DESCRIPTION_CHARS = 4_096
const MAX_STREAMS = 10
/** Discord's status for a deleted webhook. */
const GONE_STATUSES = [404]

const COLORS: Record<Severity, number> = {
  info: 0x3b82f6,
  warning: 0xe8912d,
  critical: 0xd9304c,
  resolved: 0x1d9b6c,
}

const schema = Type.Object({
  url: Type.String({
    title: 'Webhook URL',
    maxLength: 2_048,
    description: 'The webhook URL of a Discord channel.',
  }),
})
type Config = Static<typeof schema>

/** Discord's webhooks. @see https://discord.com/developers/docs/resources/webhook#execute-webhook */
export const discord: ChannelKind<Config> = {
  name: 'discord',
  label: 'Discord',
  schema,
  secrets: ['url'],
  check({ url }) {
    const detail = urlFault(url)
    return detail === undefined ? undefined : { field: 'url', detail }
  },
  target: ({ url }) => hostAndPortOf(url),
  masks: ({ url }) => urlMasks(url),
  send({ url }, message, tools) {
    const link = message.url === undefined ? '' : `\n\n${message.url}`
    const text = escaped(withStreams(message, MAX_STREAMS), escapeChar, MAX_DESCRIPTION_CHARS - link.length)
    const embed = {
      title: escaped(message.title, escapeChar, MAX_TITLE_CHARS),
      // The link is part of the text: as the embed's own, Discord refuses those of hosts it doesn't know how to reach.
      description: text + link,
      color: COLORS[message.severity],
      timestamp: message.at,
    }
    // Pings no one, whatever the text says.
    const body = JSON.stringify({ allowed_mentions: { parse: [] }, embeds: [embed] })
    return post({ url, body, goneStatuses: GONE_STATUSES }, tools)
  },
}

/** Escapes everything that Discord parses as markup, a mention or a masked link. */
function escapeChar(char: string): string {
  if (char === '@') return `@${ZERO_WIDTH_SPACE}`
  return /[\\*_~`|<>#[\]()-]/.test(char) ? `\\${char}` : char
}
