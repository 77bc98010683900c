import { directFetch } from '../net/direct.ts'
import { EgressError, type EgressFetch } from '../net/egress.ts'
import { ArchiveError, archiveError, type Refusal, sentence } from './errors.ts'
import { Patience } from './patience.ts'

/** Where the archive lies. */
export interface BucketSettings {
  endpoint: string
  bucket: string
  region: string
  accessKeyId: string
  secretAccessKey: string
  /** What every key begins with, without slashes around it. */
  prefix: string
}

export interface BucketOptions {
  /** Longest wait for an answer, a part to be taken, or the next byte, in milliseconds. Default: a minute. */
  timeoutMs?: number
  fetch?: EgressFetch
  /** Says whether the endpoint may be asked, for what the S3 client sends by itself. @throws EgressError */
  mayReach?(url: string, signal: AbortSignal): Promise<void>
}

/** A part of 8 MiB in that time is some 1.1 Mbit/s: a slower line can't carry an archive anyway. */
const TIMEOUT_MS = 60_000
/** What is larger goes up in parts of this size, in bytes: one at a time is what an upload holds in memory. */
const PART_BYTES = 8_388_608
/** How often a part is sent again before the upload is given up. */
const PART_RETRIES = 2
/** How long a signed URL may be used, in seconds. */
const SIGNED_SECONDS = 900
/** What is kept of an error's text, in characters. */
const MESSAGE_CHARS = 200

export interface ObjectRequest {
  method: 'PUT' | 'GET' | 'DELETE'
  key: string
  body?: Uint8Array<ArrayBuffer>
  /** The first byte, and the one after the last. */
  range?: [from: number, to: number]
  signal: AbortSignal
}

/** An S3 bucket. Every wait in it is bounded, and every failure is an {@link ArchiveError}. */
export class Bucket {
  readonly #client: Bun.S3Client
  readonly #settings: BucketSettings
  readonly #timeoutMs: number
  readonly #fetch: EgressFetch
  readonly #mayReach: NonNullable<BucketOptions['mayReach']>

  constructor(
    settings: BucketSettings,
    { timeoutMs = TIMEOUT_MS, fetch = directFetch, mayReach = async () => {} }: BucketOptions = {},
  ) {
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = settings
    // A token left out would be taken from the environment.
    this.#client = new Bun.S3Client({
      endpoint,
      bucket,
      region,
      accessKeyId,
      secretAccessKey,
      sessionToken: '',
    })
    this.#settings = settings
    this.#timeoutMs = timeoutMs
    this.#fetch = fetch
    this.#mayReach = mayReach
  }

  get prefix(): string {
    return this.#settings.prefix
  }

  /** Where an object lies, without what signs the request. */
  urlOf(key: string): string {
    return `${this.#settings.endpoint}/${this.#settings.bucket}/${key}`
  }

  /**
   * Sends one signed request. The body must be read with {@link drain}, or cancelled.
   * @returns the answer, whatever its status
   */
  async send({ method, key, body, range, signal }: ObjectRequest): Promise<Response> {
    const patience = new Patience(this.#timeoutMs, signal)
    const headers: Record<string, string> = body ? { 'Content-Type': 'application/gzip' } : {}
    if (range !== undefined) headers.Range = `bytes=${range[0]}-${range[1] - 1}`
    try {
      const url = this.#client.presign(key, { method, expiresIn: SIGNED_SECONDS })
      const request = { method, headers, body, redirect: 'manual', signal: patience.signal } as const
      const response = await this.#fetch(url, request)
      if (response.body === null) patience.end()
      return new Response(response.body && patience.watch(response.body), response)
    } catch (error) {
      patience.end()
      throw this.#failure(error, signal)
    }
  }

  /** Stores an object whole: one that can't be stored whole isn't there. */
  async write(key: string, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const held: Uint8Array[] = []
    let bytes = 0
    let upload: Upload | undefined
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        bytes += chunk.byteLength
        if (upload === undefined && bytes <= PART_BYTES) {
          held.push(chunk)
          continue
        }
        if (upload === undefined) await this.#mayReach(this.#settings.endpoint, signal)
        upload ??= new Upload(this.#client, key, this.#timeoutMs, signal)
        for (const waiting of held.splice(0)) await upload.write(waiting)
        await upload.write(chunk)
      }
      if (upload !== undefined) return await upload.end()
    } catch (error) {
      upload?.abandon(error as Error)
      const failure = this.#failure(error, signal)
      throw upload === undefined ? failure : await this.#reason(failure, key, signal)
    }
    const response = await this.send({ method: 'PUT', key, body: Buffer.concat(held), signal })
    if (!response.ok) throw archiveError(await this.refusalOf(response, 'NoSuchBucket'))
    await drain(response)
  }

  /** Reads an object, or a part of it, as it comes. */
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
      throw sentence('failed', "It doesn't give parts of objects (Range).")
    }
    try {
      yield* (response.body ?? []) as AsyncIterable<Uint8Array>
    } catch (error) {
      throw this.#failure(error, signal)
    }
  }

  /** Removes an object; one that isn't there is fine. */
  async remove(key: string, signal: AbortSignal): Promise<void> {
    const response = await this.send({ method: 'DELETE', key, signal })
    if (!response.ok && response.status !== 404) throw archiveError(await this.refusalOf(response))
    await drain(response)
  }

  /**
   * What an answer that is no success says, without anything secret.
   * @param code what a 404 without a code of its own means
   */
  async refusalOf(response: Response, code?: string): Promise<Refusal> {
    const text = await response.text().catch(() => '')
    const tag = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1]
    const message = tag('Message') ?? (text.startsWith('<') ? '' : text)
    return {
      status: response.status,
      code: tag('Code') ?? (response.status === 404 ? code : undefined),
      message: this.#withoutSecrets(message.trim()),
    }
  }

  /** The client doesn't tell the status that ended an upload: a small object, refused for the same reason, does. */
  async #reason(failure: unknown, key: string, signal: AbortSignal): Promise<unknown> {
    if (!(failure instanceof ArchiveError) || failure.code !== 'failed') return failure
    const small = `${key}.try`
    try {
      const response = await this.send({ method: 'PUT', key: small, body: new Uint8Array(1), signal })
      if (!response.ok) return archiveError(await this.refusalOf(response, 'NoSuchBucket'))
      await drain(response)
      await this.remove(small, signal)
      return failure
    } catch (error) {
      return error
    }
  }

  #withoutSecrets(text: string): string {
    const { accessKeyId, secretAccessKey } = this.#settings
    return text.replaceAll(secretAccessKey, '•••').replaceAll(accessKeyId, '•••').slice(0, MESSAGE_CHARS)
  }

  /** What went wrong, as an error of the archive; what isn't the archive's is passed on. */
  #failure(error: unknown, signal: AbortSignal): unknown {
    if (error instanceof ArchiveError || signal.aborted) return error
    if (error instanceof EgressError) {
      return sentence(error.code === 'not_allowed' ? 'not_allowed' : 'unreachable', error.message)
    }
    const { name, code, message } = error as { name: string; code?: unknown; message: string }
    if (name === 'TimeoutError') return sentence('timeout', `Nothing came for ${this.#timeoutMs / 1_000} s.`)
    if (name !== 'S3Error' && typeof code !== 'string') return error
    return archiveError({ code: String(code), message: this.#withoutSecrets(message) })
  }
}

/** Reads what is left of an answer, so that its connection is free again. */
export async function drain(response: Response): Promise<void> {
  await response.arrayBuffer()
}

/** A multipart upload. S3 keeps nothing of one that isn't ended. */
class Upload {
  readonly #writer: Bun.NetworkSink
  readonly #timeoutMs: number
  readonly #signal: AbortSignal

  constructor(client: Bun.S3Client, key: string, timeoutMs: number, signal: AbortSignal) {
    const options = { partSize: PART_BYTES, queueSize: 1, retry: PART_RETRIES, type: 'application/gzip' }
    this.#writer = client.file(key).writer(options)
    this.#timeoutMs = timeoutMs
    this.#signal = signal
  }

  async write(chunk: Uint8Array): Promise<void> {
    const written = this.#writer.write(chunk)
    await this.#within(Promise.all([written, this.#writer.flush()]).then(([, flushed]) => flushed))
  }

  async end(): Promise<void> {
    await this.#within(this.#writer.end())
  }

  abandon(error: Error): void {
    Promise.resolve(this.#writer.end(error)).catch(() => {})
  }

  /** The client knows no timeout and no signal; what it goes on with after `abandon` ends by itself. */
  async #within(step: number | Promise<number>): Promise<void> {
    const patience = new Patience(this.#timeoutMs, this.#signal)
    try {
      await Promise.race([step, patience.over])
    } finally {
      patience.end()
    }
  }
}
