import { gunzipSync } from 'node:zlib'
import { createParser } from 'eventsource-parser'
import { hashDocument, type Json, type PatchOperation } from '../../core/documents/document.ts'
import { parseJson } from '../../core/documents/json.ts'
import { patch } from '../../core/documents/patch.ts'
import { BenchError } from '../command.ts'

export interface SubscribersOptions {
  url: string
  clients: number
  signal: AbortSignal
}

export interface Received {
  /** Events of every subscriber: the first document and the changes. */
  events: number
  /** As received by all subscribers together, compressed. */
  bodyBytes: number
}

/** Opens event streams and reads them to their end. */
export class Subscribers {
  /** Rejects when the first stream breaks. */
  readonly failed: Promise<never>
  readonly #reading: Promise<PromiseSettledResult<Read>[]>

  constructor({ url, clients, signal }: SubscribersOptions) {
    const open = (_: unknown, index: number) => read(url, signal, index === 0)
    const reads = Array.from({ length: clients }, open)
    this.#reading = Promise.allSettled(reads)
    this.failed = new Promise((_, reject) => void Promise.all(reads).catch(() => reject(broken())))
    this.failed.catch(() => {})
  }

  /**
   * Waits until all streams have ended.
   * @param last the document that each subscriber must have by then
   * @throws BenchError if one has another, or its stream broke
   */
  async received(last: string): Promise<Received> {
    const settled = await this.#reading
    const all = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
    const [first] = all
    if (first === undefined || all.length < settled.length) {
      throw broken()
    }
    const { document, events } = follow(gunzipSync(Buffer.concat(first.chunks)))
    const isSame = all.every(({ digest }) => digest === first.digest)
    if (!isSame || hashDocument(document) !== hashDocument(parseJson(last))) {
      throw new BenchError('bench_failed', 'A subscriber ended with another document.')
    }
    return {
      events: events * all.length,
      bodyBytes: all.reduce((sum, { bodyBytes }) => sum + bodyBytes, 0),
    }
  }
}

function broken(): BenchError {
  return new BenchError('bench_failed', "A subscriber's stream broke: it couldn't read fast enough.")
}

interface Read {
  /** Identifies everything received. */
  digest: string
  bodyBytes: number
  /** Kept for one subscriber: the others must receive the same bytes. */
  chunks: Uint8Array[]
}

async function read(url: string, signal: AbortSignal, keeps: boolean): Promise<Read> {
  const headers = { Accept: 'text/event-stream', 'Accept-Encoding': 'gzip' }
  const { ok, body } = await fetch(url, { headers, signal, decompress: false })
  if (!ok || body === null) throw new Error('not a stream')
  const hasher = new Bun.CryptoHasher('sha256')
  const chunks: Uint8Array[] = []
  let bodyBytes = 0
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    hasher.update(chunk)
    bodyBytes += chunk.byteLength
    if (keeps) chunks.push(chunk)
  }
  return { digest: hasher.digest('hex'), bodyBytes, chunks }
}

/** The document after all events, and their number. */
function follow(bytes: Uint8Array): { document: Json; events: number } {
  let document: Json = null
  let events = 0
  const parser = createParser({
    onEvent({ event, data }) {
      events++
      const value = parseJson(data)
      document = event === 'patch' ? patch(document, value as unknown as PatchOperation[]) : value
    },
  })
  parser.feed(new TextDecoder().decode(bytes))
  return { document, events }
}
