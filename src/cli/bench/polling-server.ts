import { gzipSync } from 'node:zlib'
import { cpuMs, settle } from './cpu.ts'
import type { Ask, Load, Measured, Serve } from './protocol.ts'
import { fingerprint } from './recording.ts'
import type { BenchedServer } from './serve.ts'

const JSON_HEADERS = { 'Content-Type': 'application/json' }

/** A document as it is served. */
interface Content {
  plain: Uint8Array<ArrayBuffer>
  /** Compressed once for all, as the frames of a stream are. */
  gzip?: Uint8Array<ArrayBuffer>
  etag: string
}

/** Answers each poll with the document that is current then, as cheaply as a server can. */
export class PollingServer implements BenchedServer {
  readonly #documents: readonly string[]
  readonly #server: Bun.Server<undefined>
  #round: Round | undefined

  constructor({ documents }: Load) {
    this.#documents = documents
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#round?.respond(request) ?? new Response(null, { status: 503 }),
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}/`
  }

  async answer(ask: Ask): Promise<Measured> {
    if (ask.do === 'serve') {
      this.#round = new Round(this.#documents, ask)
      return { cpuMs: 0 }
    }
    if (ask.do === 'served' && this.#round !== undefined) return await this.#round.done
    throw new Error(`A polling server can't be asked ${ask.do} now.`)
  }

  stop(): void {
    void this.#server.stop(true)
  }
}

/** All polls of one replay. */
class Round {
  readonly #contents: Content[]
  readonly #asked: Serve
  readonly #finished = Promise.withResolvers<Measured>()
  #answered = 0
  #notModified = 0
  #current = 0
  #begunMs = 0
  #onceMs = 0

  constructor(documents: readonly string[], asked: Serve) {
    this.#asked = asked
    this.#contents = documents.map((text) => ({
      plain: new TextEncoder().encode(text),
      etag: `"${fingerprint(text)}"`,
    }))
  }

  get done(): Promise<Measured> {
    return this.#finished.promise
  }

  respond(request: Request): Response {
    if (this.#answered === 0) this.#begunMs = cpuMs()
    const content = this.#next()
    if (this.#answered === this.#asked.clients * this.#asked.polls) void this.#finish()
    const { way } = this.#asked
    if (way === 'conditional' && request.headers.get('if-none-match') === content.etag) {
      this.#notModified++
      return new Response(null, { status: 304, headers: { ETag: content.etag } })
    }
    if (way === 'plain') return new Response(content.plain, { headers: JSON_HEADERS })
    const headers: Record<string, string> = {
      ...JSON_HEADERS,
      'Content-Encoding': 'gzip',
      Vary: 'Accept-Encoding',
    }
    if (way === 'conditional') headers.ETag = content.etag
    return new Response(this.#compressed(content), { headers })
  }

  /** All clients send a poll before one of them sends the next. */
  #next(): Content {
    const poll = Math.floor(this.#answered++ / this.#asked.clients)
    while ((this.#asked.foundAt[this.#current + 1] ?? Number.POSITIVE_INFINITY) <= poll) this.#current++
    return this.#contents[this.#current] as Content
  }

  async #finish(): Promise<void> {
    await settle()
    this.#finished.resolve({
      cpuMs: cpuMs() - this.#begunMs,
      onceMs: this.#onceMs,
      notModified: this.#notModified,
    })
  }

  /** The content for everyone, compressed on first use. */
  #compressed(content: Content): Uint8Array<ArrayBuffer> {
    if (content.gzip === undefined) {
      const begunMs = cpuMs()
      content.gzip = new Uint8Array(gzipSync(content.plain))
      this.#onceMs += cpuMs() - begunMs
    }
    return content.gzip
  }
}
