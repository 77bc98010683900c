import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** Lines are gathered to about this size before they are compressed, in bytes. */
const MEMBER_BYTES = 1_048_576
/** As small as costs little: a backup shares the processor with recording. */
const LEVEL = 3
const pack = promisify(gzip)

/** Makes gzip members of lines; all of them in a row are one gzip file. Keeps the sum over the lines. */
export class Packer {
  readonly #sum = createHash('sha256')
  #lines: string[] = []
  #bytes = 0

  /** Of all lines so far, in hex; once. */
  digest(): string {
    return this.#sum.digest('hex')
  }

  /** @returns a member as soon as enough is gathered */
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
