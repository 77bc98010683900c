import type { Json } from '../core/documents/document.ts'

export const SEVERITIES = ['info', 'warning', 'critical', 'resolved'] as const
export type Severity = (typeof SEVERITIES)[number]

/** What people are told: the same for every kind of channel, which each write it in their own way. */
export interface Message {
  /** What happened, for programs: `notify`, `test`, `stream.stalled`, `incident.resolved` … */
  type: string
  /** One line. Cut at {@link MAX_TITLE_CHARS}. */
  title: string
  /** As many lines as it takes, as plain text: no channel reads markup in it. Cut at {@link MAX_TEXT_CHARS}. */
  text: string
  /** When it happened, which may be long before it is sent. */
  at: Date
  severity: Severity
  /** The page of the console that tells more. */
  url?: string
  incidentId?: string
  /** The streams that it is about; those beyond {@link MAX_STREAMS} are counted and left out. */
  streams: readonly StreamLink[]
  /** How many it is about; left out: as many as `streams` holds. */
  streamCount?: number
  /** More for programs: only webhooks carry it. Left out of them where it is larger than {@link MAX_DATA_CHARS}. */
  data?: Json
}

export interface StreamLink {
  id: string
  name: string
  /** Its page in the console. */
  url: string
}

/** A message as it is stored. */
export type StoredMessage = Omit<Message, 'at' | 'streamCount'> & { at: string; streamCount: number }

export const MAX_TITLE_CHARS = 200
export const MAX_TEXT_CHARS = 4_000
export const MAX_STREAMS = 50
/** As JSON. */
export const MAX_DATA_CHARS = 16_384

/** Control characters but tab and newline: no channel shows them, and some break on them. */
const CONTROL = /[\p{Cc}--[\t\n]]/gv
/** What reorders the text around it: a stream's name could make a message read as another. */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g

/** A message within its bounds. */
export function storedMessage(message: Message): StoredMessage {
  const { at, title, text, streams, streamCount = streams.length, data, ...rest } = message
  const fits = data !== undefined && JSON.stringify(data).length <= MAX_DATA_CHARS
  return {
    ...rest,
    at: at.toISOString(),
    title: cut(clean(title).replace(/\s+/g, ' ').trim(), MAX_TITLE_CHARS),
    text: cut(clean(text), MAX_TEXT_CHARS),
    streams: streams.slice(0, MAX_STREAMS).map(({ id, name, url }) => ({ id, name: clean(name), url })),
    streamCount,
    ...(fits && { data }),
  }
}

/** Text of at most that many UTF-16 units; where some is left out, an ellipsis stands for it. */
export function cut(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  return `${text.slice(0, Math.max(0, maxChars - 1)).replace(/[\ud800-\udbff]$/, '')}…`
}

/** The text with the streams it is about, a line each, for channels that show nothing but text. */
export function withStreams({ text, streams, streamCount }: StoredMessage, maxStreams: number): string {
  const named = streams.slice(0, maxStreams).map(({ name }) => `· ${name}`)
  const more = streamCount - named.length
  if (streamCount > 1 && more > 0) named.push(`· and ${more} more`)
  return [text, ...(streamCount > 1 ? ['', ...named] : [])].join('\n').trim()
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\r\n', '\n').replace(CONTROL, '').replace(BIDI, '')
}
