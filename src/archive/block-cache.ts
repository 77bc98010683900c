import type { Entry } from '../streams/recording/entry.ts'

/** Entries of the last blocks that were read, up to this much text, in bytes. */
const CACHE_BYTES = 16_777_216

interface Block {
  entries: readonly Entry[]
  /** Of its text. */
  bytes: number
}

/** Keeps what was read last, up to a bound; beyond it, what wasn't asked for the longest goes. */
export class BlockCache {
  readonly #maxBytes: number
  readonly #blocks = new Map<string, Block>()
  /** Reads under way: who asks for the same meanwhile waits for them. */
  readonly #reading = new Map<string, Promise<Block>>()
  #bytes = 0

  constructor(maxBytes = CACHE_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Text held, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  async get(key: string, read: () => Promise<Block>): Promise<readonly Entry[]> {
    const known = this.#blocks.get(key)
    if (known !== undefined) {
      this.#blocks.delete(key)
      this.#blocks.set(key, known)
      return known.entries
    }
    const reading = this.#reading.get(key) ?? this.#read(key, read)
    return (await reading).entries
  }

  clear(): void {
    this.#blocks.clear()
    this.#bytes = 0
  }

  #read(key: string, read: () => Promise<Block>): Promise<Block> {
    const reading = read().finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    reading.then(
      (block) => this.#keep(key, block),
      () => {},
    )
    return reading
  }

  /** A block larger than all room isn't kept. */
  #keep(key: string, block: Block): void {
    if (block.bytes > this.#maxBytes) return
    this.#blocks.set(key, block)
    this.#bytes += block.bytes
    for (const [oldest, { bytes }] of this.#blocks) {
      if (this.#bytes <= this.#maxBytes) return
      this.#blocks.delete(oldest)
      this.#bytes -= bytes
    }
  }
}
