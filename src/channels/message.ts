import type { Json } from '../core/documents/document.ts'

export const SEVERITIES = ['info', 'warning', 'critical', 'resolved'] as const
export type Severity = (typeof SEVERITIES)[number]

/** A notification: the same for every kind of channel, which each format it in their own way. */
export interface Message {
  /** What happened, for programs: `notify`, `test`, `stream.stalled`, `incident.resolved` … */
  type: string
  /** One line, cut at {@link MAX_TITLE_CHARS}. */
  title: string
  /** Plain text of any number of lines; no channel parses markup in it. Cut at {@link MAX_MESSAGE_CHARS}. */
  text: string
  /** When it happened, which may be long before it is sent. */
  at: Date
  severity: Severity
  /** The console page with details. */
  url?: string
  incidentId?: string
  /** The affected streams; those beyond {@link MAX_STREAMS} are only counted. */
  streams: readonly StreamLink[]
  /** How many streams are affected; omitted: as many as in `streams`. */
  streamCount?: number
  /** Data for programs, sent by webhooks only, and omitted if larger than {@link MAX_DATA_CHARS}. */
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
export const MAX_MESSAGE_CHARS = 4_000
export const MAX_STREAMS = 50
/** As JSON. */
export const MAX_DATA_CHARS = 16_384

/** Control characters except tab and newline: no channel shows them, and some break on them. */
const CONTROL = /[\p{Cc}--[\t\n]]/gv
/** Characters that reorder text: a stream's name could make a message read differently. */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/g

/** A message within its bounds. */
export function storedMessage(message: Message): StoredMessage {
  const { at, title, text, streams, streamCount = streams.length, data, ...rest } = message
  const fits = data !== undefined && JSON.stringify(data).length <= MAX_DATA_CHARS
  return {
    ...rest,
    at: at.toISOString(),
    title: truncate(clean(title).replace(/\s+/g, ' ').trim(), MAX_TITLE_CHARS),
    text: truncate(clean(text), MAX_MESSAGE_CHARS),
    streams: streams.slice(0, MAX_STREAMS).map(({ id, name, url }) => ({ id, name: clean(name), url })),
    streamCount,
    ...(fits && { data }),
  }
}

/** Cuts a text to that many UTF-16 units; an ellipsis stands for what is left out. */
export function truncate(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  return `${text.slice(0, Math.max(0, maxChars - 1)).replace(/[\ud800-\udbff]$/, '')}…`
}

/** The text with the affected streams, a line each, for channels that show only text. */
export function withStreams({ text, streams, streamCount }: StoredMessage, maxStreams: number): string {
  const named = streams.slice(0, maxStreams).map(({ name }) => `· ${name}`)
  const more = streamCount - named.length
  if (streamCount > 1 && more > 0) named.push(`· and ${more} more`)
  return [text, ...(streamCount > 1 ? ['', ...named] : [])].join('\n').trim()
}

function clean(text: string): string {
  return text.toWellFormed().replaceAll('\r\n', '\n').replace(CONTROL, '').replace(BIDI, '')
}
