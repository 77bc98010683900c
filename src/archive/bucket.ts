import { directFetch } from '../net/direct.ts'
import { EgressError, type EgressFetch } from '../net/egress.ts'
import { ArchiveError, archiveError, type S3Failure, sentence } from './errors.ts'
import { Patience } from './patience.ts'
import { encoded, signedUrl } from './signing.ts'
import { tagOf, Upload } from './upload.ts'

/** The location of the archive. */
export interface BucketSettings {
  endpoint: string
  bucket: string
  region: string
  accessKeyId: string
  secretAccessKey: string
  /** Prefix of every key, without leading or trailing slashes. */
  prefix: string
}

export interface BucketOptions {
  /**
   * Longest wait for a response, for a part to be accepted, or for the next byte, in milliseconds. Default: a minute.
   */
  timeoutMs?: number
  fetch?: EgressFetch
  now?: () => number
}

/** 8 MiB in this time is about 1.1 Mbit/s: a slower line can't carry an archive anyway. */
const TIMEOUT_MS = 60_000
/** Larger objects are uploaded in parts of this size, in bytes. An upload holds one of them in memory. */
const PART_BYTES = 8_388_608
/** Lifetime of a signed URL, in seconds. */
const SIGNED_SECONDS = 900
/** Characters kept of an error's text. */
const MESSAGE_CHARS = 200

export interface ObjectRequest {
  method: 'PUT' | 'GET' | 'DELETE' | 'POST'
  key: string
  /** Parameters other than the signature: which part of an upload this is. */
  query?: Readonly<Record<string, string>>
  body?: Uint8Array<ArrayBuffer>
  /** Content type of the body; gzip if omitted. */
  type?: string
  /** The first byte, and the byte after the last. */
  range?: [from: number, to: number]
  signal: AbortSignal
}

/** An S3 bucket. Every wait is bounded, and every failure is an {@link ArchiveError}. */
export class Bucket {
  readonly #settings: BucketSettings
  readonly #timeoutMs: number
  readonly #fetch: EgressFetch
  readonly #now: () => number

  constructor(
    settings: BucketSettings,
    { timeoutMs = TIMEOUT_MS, fetch = directFetch, now = Date.now }: BucketOptions = {},
  ) {
    this.#settings = settings
    this.#timeoutMs = timeoutMs
    this.#fetch = fetch
    this.#now = now
  }

  get prefix(): string {
    return this.#settings.prefix
  }

  /** The URL of an object, without the signature. */
  urlOf(key: string): string {
    return `${this.#settings.endpoint}/${this.#settings.bucket}/${key}`
  }

  /**
   * Sends one signed request. The body must be read with {@link drain}, or cancelled.
   * @returns the response, whatever its status
   */
  async send({ method, key, query, body, type, range, signal }: ObjectRequest): Promise<Response> {
    const patience = new Patience(this.#timeoutMs, signal)
    const headers: Record<string, string> = body ? { 'Content-Type': type ?? 'application/gzip' } : {}
    if (range !== undefined) headers.Range = `bytes=${range[0]}-${range[1] - 1}`
    try {
      const url = this.#signed(method, key, query)
      const request = { method, headers, body, redirect: 'manual', signal: patience.signal } as const
      const response = await this.#fetch(url, request)
      if (response.body === null) patience.end()
      return new Response(response.body && patience.watch(response.body), response)
    } catch (error) {
      patience.end()
      throw this.#failure(error, signal)
    }
  }

  /** Stores an object: either all of it or nothing. */
  async write(key: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const held: Uint8Array[] = []
    let heldBytes = 0
    let upload: Upload | undefined
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        held.push(chunk)
        heldBytes += chunk.byteLength
        if (heldBytes < PART_BYTES) continue
        upload ??= await Upload.begin(key, (request) => this.#ask(request), signal)
        await upload.write(Buffer.concat(held.splice(0)))
        heldBytes = 0
      }
      const rest = Buffer.concat(held)
      if (upload === undefined) return void (await this.#ask({ method: 'PUT', key, body: rest, signal }))
      if (heldBytes > 0) await upload.write(rest)
      await upload.end()
    } catch (error) {
      void upload?.abandon()
      throw this.#failure(error, signal)
    }
  }

  /** Streams an object, or a range of it. */
  async *read(
    key: string,
    signal: AbortSignal,
    range?: [from: number, to: number],
  ): AsyncGenerator<Uint8Array> {
    const response = await this.send({ method: 'GET', key, range, signal })
    if (!response.ok) throw archiveError(await this.refusalOf(response))
    const isPart = response.status === 206
    if (range !== undefined && !isPart) {
      await response.body?.cancel()
      throw sentence('failed', "It doesn't support range requests.")
    }
    try {
      yield* (response.body ?? []) as AsyncIterable<Uint8Array>
    } catch (error) {
      throw this.#failure(error, signal)
    }
  }

  /** Removes an object; it needn't exist. */
  async remove(key: string, signal: AbortSignal): Promise<void> {
    const response = await this.send({ method: 'DELETE', key, signal })
    if (!response.ok && response.status !== 404) throw archiveError(await this.refusalOf(response))
    await drain(response)
  }

  /**
   * What an error response says, without secrets.
   * @param code the meaning of a 404 without a code of its own
   */
  async refusalOf(response: Response, code?: string): Promise<S3Failure> {
    const text = await response.text().catch(() => '')
    const tag = (name: string) => tagOf(text, name)
    const message = tag('Message') ?? (text.startsWith('<') ? '' : text)
    return {
      status: response.status,
      code: tag('Code') ?? (response.status === 404 ? code : undefined),
      message: this.#withoutSecrets(message.trim()),
    }
  }

  /**
   * Sends a request that has a short response.
   * @throws ArchiveError if the response isn't a success
   */
  async #ask(request: ObjectRequest): Promise<{ text: string; headers: Headers }> {
    const response = await this.send(request)
    if (!response.ok) throw archiveError(await this.refusalOf(response, 'NoSuchBucket'))
    return { text: await response.text(), headers: response.headers }
  }

  #signed(method: string, key: string, query: ObjectRequest['query']): string {
    const { endpoint, bucket } = this.#settings
    const url = new URL(`${endpoint}/${[bucket, ...key.split('/')].map(encoded).join('/')}`)
    const at = new Date(this.#now())
    return signedUrl({ method, url, query, expiresSeconds: SIGNED_SECONDS, at }, this.#settings)
  }

  #withoutSecrets(text: string): string {
    const { accessKeyId, secretAccessKey } = this.#settings
    return text.replaceAll(secretAccessKey, '•••').replaceAll(accessKeyId, '•••').slice(0, MESSAGE_CHARS)
  }

  /** The error as an `ArchiveError`; errors from elsewhere are returned unchanged. */
  #failure(error: unknown, signal: AbortSignal): unknown {
    if (error instanceof ArchiveError || signal.aborted) return error
    if (error instanceof EgressError) {
      return sentence(error.code === 'not_allowed' ? 'not_allowed' : 'unreachable', error.message)
    }
    const { name, code, message } = error as { name: string; code?: unknown; message: string }
    if (name === 'TimeoutError') return sentence('timeout', `No data for ${this.#timeoutMs / 1_000} s.`)
    if (typeof code !== 'string') return error
    return archiveError({ code: String(code), message: this.#withoutSecrets(message) })
  }
}

/** Reads the rest of a response, so that its connection can be reused. */
export async function drain(response: Response): Promise<void> {
  await response.arrayBuffer()
}
