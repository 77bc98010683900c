import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** Lines are collected up to about this size before they are compressed, in bytes. */
const MEMBER_BYTES = 1_048_576
/** A cheap compression level: a backup shares the CPU with recording. */
const LEVEL = 3
const pack = promisify(gzip)

/** Packs lines into gzip members, which together are one gzip file, and keeps the checksum of the lines. */
export class RowPacker {
  readonly #sum = createHash('sha256')
  #lines: string[] = []
  #bytes = 0

  /** The checksum of all lines so far, in hex; call it once. */
  digest(): string {
    return this.#sum.digest('hex')
  }

  /** @returns a member as soon as there is enough for one */
  async add(lines: readonly string[], isSummed = true): Promise<Uint8Array | undefined> {
    const text = lines.map((line) => `${line}\n`).join('')
    if (isSummed) this.#sum.update(text)
    this.#lines.push(text)
    this.#bytes += text.length
    return this.#bytes < MEMBER_BYTES ? undefined : this.flush()
  }

  async flush(): Promise<Uint8Array> {
    const text = this.#lines.join('')
    this.#lines = []
    this.#bytes = 0
    return pack(text, { level: LEVEL })
  }
}
