import { createParser, type EventSourceParser, type ParserConfig } from 'eventsource-parser'
import { LongEvent } from './long-event.ts'

/** An event that is larger than may be kept. */
export interface LargeEvent {
  id: string | undefined
  /** Its name; omitted if it has none. */
  event: string | undefined
  /** Size of its data in UTF-8, as far as it was received. */
  bytes: number
  /** SHA-256 of its data, in hex; omitted if it wasn't read to its end. */
  hash?: string
  /** It ends here, although it wasn't read to its end: what follows can be read. */
  isOver?: true
}

export interface SseConfig extends Pick<ParserConfig, 'onEvent' | 'onId' | 'onRetry'> {
  /** Most characters of an event's data. */
  maxChars: number
  /** An event was skipped because it is larger. */
  onLarge(event: LargeEvent): void
}

export type SseParser = Pick<EventSourceParser, 'feed'> & {
  /** Forgets an event that isn't complete; one that is too large is reported. */
  reset(): void
}

/** Longer events are read as they arrive, instead of being held back until they are complete. In characters. */
const LONG_CHARS = 65_536
const NEXT_EVENT = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))/g
/** What of the text before may be part of the end of an event. */
const EDGE_CHARS = 3

/**
 * Parses server-sent events in bounded memory. What is too large costs itself alone: its data is hashed as it arrives, and
 * the events after it are read.
 */
export function createSseParser(config: SseConfig): SseParser {
  const longFrom = Math.min(LONG_CHARS, config.maxChars)
  const parser = createParser(config)
  /** The beginning of an event. */
  let held: string[] = []
  let heldChars = 0
  /** What the text held ends with. */
  let edge = ''
  let long: LongEvent | undefined
  let isFirst = true

  function feed(chunk: string): void {
    const text = long === undefined ? chunk : feedLong(chunk)
    if (text === '') return
    const end = endOfEvents(edge + text) - edge.length
    if (end > 0) feedWhole([...held, text.slice(0, end)].join(''))
    if (end > 0) letGo()
    hold(end > 0 ? text.slice(end) : text)
  }

  /** @returns what follows the long event */
  function feedLong(text: string): string {
    const end = long?.feed(text)
    if (end === undefined) return ''
    long = undefined
    return text.slice(end)
  }

  function feedWhole(events: string): void {
    if (events.length <= longFrom) {
      feedShort(events)
      return
    }
    let [from, at] = [0, 0]
    for (const { 0: found, index } of events.matchAll(NEXT_EVENT)) {
      const end = index + found.length
      if (end - at > longFrom) {
        feedShort(events.slice(from, at))
        begin(events.slice(at, end))
        from = end
      }
      at = end
    }
    feedShort(events.slice(from))
  }

  function feedShort(events: string): void {
    if (events === '') return
    isFirst = false
    parser.feed(events)
  }

  /** Reads a long event, or its beginning. */
  function begin(start: string): LongEvent {
    const event = new LongEvent(config)
    const text = isFirst ? start.replace(/^\uFEFF/, '') : start
    isFirst = false
    event.feed(text.replace(/^[\r\n]+/, ''))
    return event
  }

  function letGo(): void {
    held = []
    heldChars = 0
    edge = ''
  }

  function hold(start: string): void {
    if (start === '') return
    held.push(start)
    heldChars += start.length
    edge = (edge + start).slice(-EDGE_CHARS)
    if (heldChars <= longFrom) return
    long = begin(held.join(''))
    letGo()
  }

  return {
    feed,
    reset() {
      long?.cut()
      long = undefined
      letGo()
      isFirst = true
      parser.reset()
    },
  }
}

/** Where the last event in a text ends; 0 if none does. */
function endOfEvents(text: string): number {
  const end = text.lastIndexOf('\n\n') + 2
  if (!text.includes('\r')) return end > 1 ? end : 0
  const bare = text.lastIndexOf('\r\r') + 2
  const mixed = text.lastIndexOf('\n\r') + 2
  const withFeed = mixed > 1 && text[mixed] === '\n' ? mixed + 1 : mixed
  const last = Math.max(end, bare, withFeed)
  return last > 1 ? last : 0
}
