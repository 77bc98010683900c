/** One server-sent event, in the HTML standard's event stream format. */
export interface SseMessage {
  /** The payload; may span lines. */
  data: string
  /** Event name; left out means `message`. No CR, LF. */
  event?: string
  /** Becomes the reader's `Last-Event-ID`. No CR, LF, NUL. */
  id?: string
  /** Reconnection time the reader should use, in milliseconds. */
  retry?: number
}

const utf8 = new TextEncoder()

/**
 * Encodes one message as the bytes of an event stream, blank line included.
 * Every line end in `data` (CR, LF, CRLF) becomes a `data:` line of its own.
 * @throws TypeError when `event` or `id` contains a line end or NUL: a reader would take the rest for a field.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export function encodeMessage(message: SseMessage): Uint8Array<ArrayBuffer> {
  let text = ''
  if (message.event !== undefined) text += `event: ${oneLine('event', message.event)}\n`
  if (message.id !== undefined) text += `id: ${oneLine('id', message.id)}\n`
  if (message.retry !== undefined) text += `retry: ${Math.round(message.retry)}\n`
  for (const line of message.data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`
  return utf8.encode(`${text}\n`)
}

/** Encodes a comment, which readers ignore: the heartbeat that keeps proxies from closing an idle stream. */
export function encodeComment(text: string): Uint8Array<ArrayBuffer> {
  return utf8.encode(`: ${oneLine('comment', text)}\n\n`)
}

/** Sets the reader's reconnection time without sending an event. */
export function encodeRetry(retryMs: number): Uint8Array<ArrayBuffer> {
  return utf8.encode(`retry: ${Math.round(retryMs)}\n\n`)
}

/** Headers of every event stream: never cached, never buffered by nginx and similar proxies. */
export const SSE_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
} as const

function oneLine(field: string, value: string): string {
  if (/[\r\n\0]/.test(value)) throw new TypeError(`SSE ${field} can't contain line breaks or NUL`)
  return value
}

/** Whether headers are those of an event stream of Weir's own. */
export function areEventStreamHeaders(headers: Headers): boolean {
  return headers.get('Content-Type') === SSE_HEADERS['Content-Type']
}
