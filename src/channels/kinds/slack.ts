import { type Static, Type } from '@sinclair/typebox'
import { escaped, ZERO_WIDTH_SPACE } from '../escape.ts'
import { hostAndPortOf, post, urlFault, urlMasks } from '../http.ts'
import type { ChannelKind } from '../kind.ts'
import { type Severity, withStreams } from '../message.ts'

/** Some services that accept Slack's format cut longer texts. */
const MAX_TITLE_CHARS = 250
const MAX_TEXT_CHARS = 3_000
const MAX_STREAMS = 10
/** Slack's statuses for a deleted webhook, app or workspace. */
const GONE_STATUSES = [404]

const COLORS: Record<Severity, string> = {
  info: '#3b82f6',
  warning: '#e8912d',
  critical: '#d9304c',
  resolved: '#1d9b6c',
}

const schema = Type.Object({
  url: Type.String({
    title: 'Webhook URL',
    maxLength: 2_048,
    description: 'An incoming webhook of Slack or a compatible service (Mattermost, Rocket.Chat).',
  }),
})
type Config = Static<typeof schema>

/**
 * Slack's incoming webhooks, in the part of their format that compatible services understand.
 * @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export const slack: ChannelKind<Config> = {
  name: 'slack',
  label: 'Slack',
  schema,
  secrets: ['url'],
  check({ url }) {
    const detail = urlFault(url)
    return detail === undefined ? undefined : { field: 'url', detail }
  },
  target: ({ url }) => hostAndPortOf(url),
  masks: ({ url }) => urlMasks(url),
  send({ url }, message, tools) {
    const title = escaped(message.title, escapeChar, MAX_TITLE_CHARS)
    const attachment = {
      color: COLORS[message.severity],
      fallback: title,
      title,
      ...(message.url && { title_link: message.url }),
      text: escaped(withStreams(message, MAX_STREAMS), escapeChar, MAX_TEXT_CHARS),
      // No field is parsed as markup.
      mrkdwn_in: [],
      ts: Math.floor(Date.parse(message.at) / 1_000),
    }
    const body = JSON.stringify({ mrkdwn: false, link_names: false, attachments: [attachment] })
    return post({ url, body, goneStatuses: GONE_STATUSES }, tools)
  },
}

const ESCAPED: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  // Mattermost parses markup and mentions anyway.
  '@': `@${ZERO_WIDTH_SPACE}`,
  ']': `]${ZERO_WIDTH_SPACE}`,
}

function escapeChar(char: string): string {
  return ESCAPED[char] ?? char
}
