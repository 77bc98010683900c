import { diff } from '../../core/documents/diff.ts'
import { hashDocument, type Json } from '../../core/documents/document.ts'
import { parseJson, stringifyJson } from '../../core/documents/json.ts'
import { isEqual } from '../../core/documents/member-names.ts'
import { patch } from '../../core/documents/patch.ts'
import { TooMuch, Work } from '../../core/documents/work.ts'
import { encodeComment } from '../../core/sse.ts'
import type { Fanout } from '../command.ts'
import { cpuMs, settle } from './cpu.ts'
import type { Ask, Load, Measured } from './protocol.ts'
import type { BenchedServer } from './serve.ts'

const TOPIC = 'document'
/** As long as the IDs of the proxy. */
const ID_MARK = '01234567'

/** Subscribers that connect. */
interface Connecting {
  /** How many haven't been sent the first document. */
  left: number
  all: PromiseWithResolvers<void>
  /** CPU time when the first one arrived. */
  begunMs?: number
}

/** Sends the documents as Weir's proxy does: the same frames, through the same fan-out, compressed for browsers. */
export class StreamingServer implements BenchedServer {
  readonly #load: Load
  readonly #fanout: Fanout
  readonly #server: Bun.Server<undefined>
  #hub: InstanceType<Fanout['Hub']>
  #greeting: InstanceType<Fanout['Frame']> | undefined
  #connecting: Connecting | undefined
  /** CPU that was needed once, for any number of subscribers, since something was last asked. */
  #onceMs = 0

  constructor(load: Load, fanout: Fanout) {
    this.#load = load
    this.#fanout = fanout
    // Without randomness, so that all subscribers get the same bytes.
    this.#hub = new fanout.Hub(() => 0)
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#subscribe(request),
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/`
  }

  async answer(ask: Ask): Promise<Measured> {
    // Connections are made between two asks.
    if (ask.do !== 'connected') this.#onceMs = 0
    if (ask.do === 'connect') return this.#expect(ask.clients)
    if (ask.do === 'connected') return this.#connected()
    if (ask.do === 'send') return this.#send(ask.everyMs)
    if (ask.do === 'beat') return this.#beat(ask.times, ask.everyMs)
    if (ask.do !== 'end') throw new Error(`A streaming server can't be asked ${ask.do}.`)
    this.#hub.close()
    this.#hub = new this.#fanout.Hub(() => 0)
    return { cpuMs: 0 }
  }

  stop(): void {
    this.#hub.close()
    void this.#server.stop(true)
  }

  #subscribe(request: Request): Response {
    const connecting = this.#connecting
    if (connecting === undefined) return new Response(null, { status: 503 })
    connecting.begunMs ??= cpuMs()
    return this.#hub.subscribe(TOPIC, {
      signal: request.signal,
      gzip: true,
      replay: async (send) => {
        this.#greeting ??= this.#once(() => this.#frame('data', this.#load.documents[0] as string, 1))
        await send(this.#greeting)
        if (--connecting.left === 0) connecting.all.resolve()
      },
    })
  }

  #expect(clients: number): Measured {
    this.#greeting = undefined
    this.#connecting = { left: clients, all: Promise.withResolvers() }
    return { cpuMs: 0 }
  }

  async #connected(): Promise<Measured> {
    await this.#connecting?.all.promise
    await settle()
    return { cpuMs: cpuMs() - (this.#connecting?.begunMs ?? 0), onceMs: this.#onceMs }
  }

  async #send(everyMs: number): Promise<Measured> {
    const { documents, arrayKeys } = this.#load
    let document = parseJson(documents[0] as string)
    const begunMs = cpuMs()
    for (const [index, text] of documents.entries()) {
      if (index === 0) continue
      const frame = this.#once(() => {
        const next = parseJson(text)
        const change = changeOf(document, next, text, arrayKeys)
        document = next
        return this.#frame(...change, index + 1)
      })
      this.#hub.publish(TOPIC, frame)
      await Bun.sleep(everyMs)
    }
    await settle()
    return { cpuMs: cpuMs() - begunMs, onceMs: this.#onceMs }
  }

  async #beat(times: number, everyMs: number): Promise<Measured> {
    const heartbeat = new this.#fanout.Frame(undefined, encodeComment('heartbeat'))
    const begunMs = cpuMs()
    for (let time = 0; time < times; time++) {
      this.#hub.publish(TOPIC, heartbeat)
      await Bun.sleep(everyMs)
    }
    await settle()
    return { cpuMs: cpuMs() - begunMs }
  }

  #frame(event: 'data' | 'patch', data: string, position: number) {
    const frame = this.#fanout.Frame.of({ event, data, position, id: `${ID_MARK}.${position}` })
    // Compressed on first use, and for all.
    void frame.deflated
    return frame
  }

  /** Does what is needed once for all subscribers. */
  #once<T>(work: () => T): T {
    const begunMs = cpuMs()
    const made = work()
    this.#onceMs += cpuMs() - begunMs
    return made
  }
}

/** A change as Weir makes it: hashed, compared, verified, and sent whole if that is smaller. */
function changeOf(
  from: Json,
  to: Json,
  text: string,
  arrayKeys: readonly string[],
): ['data' | 'patch', string] {
  hashDocument(to)
  try {
    const operations = diff(from, to, arrayKeys)
    if (!isEqual(patch(from, operations), to, new Work())) return ['data', text]
    const data = stringifyJson(operations)
    return Buffer.byteLength(data) < Buffer.byteLength(text) ? ['patch', data] : ['data', text]
  } catch (error) {
    if (error instanceof TooMuch) return ['data', text]
    throw error
  }
}
