import { constants, createInflateRaw, type InflateRaw } from 'node:zlib'
import type { LargeEvent } from '../../content/sse-parser.ts'
import { badFrame, OPCODE, type Received } from './frames.ts'

/** Of a message that is too large, at most this many times the limit is read, before and after decompression. */
const MAX_READ_TIMES = 8

/** A message that is too large to be kept: it is decompressed and hashed as it arrives. */
export class LargeMessage {
  readonly #event: string | undefined
  readonly #limits: { maxBytes: number; maxReadBytes: number }
  readonly #hash = new Bun.CryptoHasher('sha256')
  readonly #inflate: InflateRaw | undefined
  #isInvalid = false
  #announcedBytes = 0
  /** Size of its data, after decompression, as far as it was read. */
  bytes = 0

  constructor({ opcode, isCompressed }: Pick<Received, 'opcode' | 'isCompressed'>, maxBytes: number) {
    this.#event = opcode === OPCODE.binary ? 'binary' : undefined
    this.#limits = { maxBytes, maxReadBytes: MAX_READ_TIMES * maxBytes }
    if (isCompressed) this.#inflate = this.#inflating()
  }

  /** Whether it is larger than what is read of any message; the rest isn't read. */
  get isEndless(): boolean {
    const { maxReadBytes } = this.#limits
    return this.bytes > maxReadBytes || this.#announcedBytes > maxReadBytes
  }

  /** @throws UpstreamError if it can't be decompressed */
  async add({ payload, part }: Pick<Received, 'payload' | 'part'>): Promise<void> {
    this.#announcedBytes = part?.announcedBytes ?? payload.byteLength
    if (this.isEndless) this.#inflate?.destroy()
    else if (this.#inflate === undefined) this.#take(payload)
    else await this.#write(this.#inflate, payload)
  }

  /** Its last part was added. */
  end(): LargeEvent {
    this.#inflate?.destroy()
    const read = { ...this.#read(), isOver: true as const }
    return this.isEndless ? read : { ...read, hash: this.#hash.digest('hex') }
  }

  /** The rest of it won't be read. @returns undefined if it may not have been too large after all */
  cut(): LargeEvent | undefined {
    this.#inflate?.destroy()
    return this.bytes > this.#limits.maxBytes || this.isEndless ? this.#read() : undefined
  }

  #read(): LargeEvent {
    return { id: undefined, event: this.#event, bytes: this.bytes }
  }

  #take(data: Buffer): void {
    this.bytes += data.byteLength
    this.#hash.update(data)
  }

  #inflating(): InflateRaw {
    const inflate = createInflateRaw({ finishFlush: constants.Z_SYNC_FLUSH })
    inflate.on('error', () => {
      this.#isInvalid = true
    })
    return inflate.on('data', (data: Buffer) => {
      if (this.isEndless) inflate.destroy()
      else this.#take(data)
    })
  }

  /** Waits until what was written is decompressed, so that no more is held than was received at once. */
  async #write(inflate: InflateRaw, payload: Buffer): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = () => resolve()
    // After an error, only this is called.
    inflate.once('close', done)
    inflate.write(payload, done)
    await promise
    inflate.off('close', done)
    if (this.#isInvalid) throw badFrame("it can't be decompressed")
  }
}
