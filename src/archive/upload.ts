import type { ObjectRequest } from './bucket.ts'
import { ArchiveError, sentence } from './errors.ts'

/** Retries per part before the upload is abandoned. */
const PART_RETRIES = 2
/** How long the service may take to discard an upload, in milliseconds; nobody waits for it. */
const ABANDON_MS = 10_000

/**
 * Sends one request of an upload and reads its response.
 * @throws ArchiveError if the response isn't a success
 */
export type SendPart = (request: ObjectRequest) => Promise<{ text: string; headers: Headers }>

/**
 * A multipart upload. Each part is confirmed before the next is sent; S3 keeps nothing of an upload that isn't
 * completed.
 * @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
 */
export class Upload {
  readonly #key: string
  readonly #id: string
  readonly #send: SendPart
  readonly #signal: AbortSignal
  readonly #etags: string[] = []

  private constructor(key: string, id: string, send: SendPart, signal: AbortSignal) {
    this.#key = key
    this.#id = id
    this.#send = send
    this.#signal = signal
  }

  static async begin(key: string, send: SendPart, signal: AbortSignal): Promise<Upload> {
    const { text } = await send({ method: 'POST', key, query: { uploads: '' }, signal })
    const id = tagOf(text, 'UploadId')
    if (id === undefined) throw sentence('failed', "It doesn't support multipart uploads.")
    return new Upload(key, id, send, signal)
  }

  /** Sends the next part: at least 5 MiB, except for the last. */
  async write(body: Uint8Array<ArrayBuffer>): Promise<void> {
    const query = { partNumber: String(this.#etags.length + 1), uploadId: this.#id }
    const request = { method: 'PUT', key: this.#key, query, body, signal: this.#signal } as const
    const { headers } = await this.#retried(() => this.#send(request))
    const etag = headers.get('etag')
    if (etag === null) throw sentence('failed', 'It returned no ETag.')
    this.#etags.push(etag)
  }

  async end(): Promise<void> {
    const parts = this.#etags.map(
      (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(etag)}</ETag></Part>`,
    )
    const body = new TextEncoder().encode(
      `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`,
    )
    const { text } = await this.#send({
      method: 'POST',
      key: this.#key,
      query: { uploadId: this.#id },
      body,
      type: 'application/xml',
      signal: this.#signal,
    })
    // Completing the upload may fail after the response has begun, with a success status.
    if (text.includes('<Error>')) throw sentence('failed', `Response: ${tagOf(text, 'Code') ?? 'Error'}.`)
  }

  /** Asks the service to discard the parts; best effort. */
  async abandon(): Promise<void> {
    const signal = AbortSignal.timeout(ABANDON_MS)
    await this.#send({ method: 'DELETE', key: this.#key, query: { uploadId: this.#id }, signal }).catch(
      () => {},
    )
  }

  async #retried<T>(attempt: () => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries++) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof ArchiveError) || !error.isTransient || retries >= PART_RETRIES) throw error
      }
    }
  }
}

/** The text of an element that occurs once, in the XML that S3 writes. */
export function tagOf(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]
  return text?.replace(/&(amp|lt|gt|quot|apos|#34|#39);/g, (_, sign: string) => ENTITIES[sign] as string)
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" },
  ...{ '#34': '"', '#39': "'" },
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
