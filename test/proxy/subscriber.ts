import { EventSource } from 'eventsource'
import { applyPatch, type Operation } from 'fast-json-patch'
import { until } from '../support/until.ts'

export interface Message {
  event: string
  id: string
  data: unknown
}

const EVENTS = ['data', 'patch', 'error', 'monitor', 'gap']

/** A client of the proxy: an EventSource that applies patches with a library that Weir didn't write. */
export class Subscriber {
  readonly messages: Message[] = []
  document: unknown
  readonly #source: EventSource

  constructor(url: string, headers: Record<string, string> = {}) {
    this.#source = new EventSource(url, {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
    })
    for (const event of EVENTS) {
      this.#source.addEventListener(event, (message) => {
        if (message instanceof MessageEvent) this.#take(event, message)
      })
    }
  }

  get events(): string[] {
    return this.messages.map((message) => message.event)
  }

  get lastId(): string {
    return this.messages.at(-1)?.id ?? ''
  }

  /** Waits for a message of that name, or for one that fits. */
  async got(event: string, fits: (data: unknown) => boolean = () => true): Promise<Message> {
    return until(`a subscriber gets ${event}`, () =>
      this.messages.find((message) => message.event === event && fits(message.data)),
    )
  }

  leave(): void {
    this.#source.close()
  }

  #take(event: string, { data, lastEventId }: MessageEvent<string>): void {
    const content: unknown = JSON.parse(data)
    this.messages.push({ event, id: lastEventId, data: content })
    if (event === 'data') this.document = content
    if (event === 'patch') {
      this.document = applyPatch(this.document, content as Operation[], true, false).newDocument
    }
  }
}
