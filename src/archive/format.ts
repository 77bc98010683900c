import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { ArchiveBlock } from '../../drizzle/schema.ts'
import { ENTRY_KIND, isVersionKind } from '../core/sets/entry-kinds.ts'
import { type Entry, type Exchange, entryJson } from '../streams/recording/entry.ts'

/** Text in one gzip member, in bytes, not counting its first line: reading one entry decompresses this much. */
const BLOCK_BYTES = 1_048_576
/**
 * Stored JSON with these is valid JSON, but spans lines, or has escaped lone surrogates, which strict readers reject.
 */
const UNREADABLE = /[\r\n]|\\ud[89a-f]/i
const ESCAPE = /\\(?:ud[89ab]..\\ud[c-f]..|ud[89a-f]..|.)/gis
const LONE_SURROGATE = /^\\ud[89a-f]..$/i

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/**
 * An entry as a line: the JSON of the API. If the stored JSON can't be part of a line, `data` holds a readable
 * version and `dataText` the stored text.
 */
export function archiveLine(entry: Entry): string {
  const { kind, data } = entry
  if (data === undefined || !ENTRY_KIND[kind].isJson || !UNREADABLE.test(data)) return entryJson(entry)
  const readable = data
    .replaceAll(/[\r\n]/g, ' ')
    .replaceAll(ESCAPE, (code) => (LONE_SURROGATE.test(code) ? '\\ufffd' : code))
  if (readable === data) return entryJson(entry)
  const line = { ...entry, dataText: data, data: readable }
  return entryJson(line)
}

interface Line
  extends Omit<Entry, 'at' | 'data' | 'exchange'>,
    Partial<Pick<Exchange, 'request' | 'response' | 'redirects' | 'content'>> {
  at: string
  framingBytes?: number
  dataText?: string
}

/**
 * Parses a line into its entry, with stored JSON character for character.
 * @throws SyntaxError
 */
export function lineEntry(text: string): Entry {
  const start = dataStart(text)
  const head = start === undefined ? text : `${text.slice(0, start)}}`
  const {
    at,
    dataText,
    request,
    response,
    redirects,
    content,
    framingBytes = 0,
    ...rest
  } = JSON.parse(head) as Line
  const entry: Entry = { ...rest, at: Date.parse(at), bodyBytes: rest.bodyBytes + framingBytes }
  const answered = {
    ...(response && { response }),
    ...(redirects && { redirects }),
    ...(content && { content }),
  }
  if (request !== undefined) entry.exchange = { request, ...answered }
  if (start === undefined) return entry
  const stored = text.slice(start + DATA.length, -1)
  entry.data = dataText ?? (ENTRY_KIND[entry.kind].isJson ? stored : JSON.parse(stored))
  return entry
}

const DATA = ',"data":'
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}]/g

/** Where the line's own `data` begins, which is its last member; `undefined` if it has none. */
function dataStart(text: string): number | undefined {
  let depth = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{') depth++
    else if (token === '}') depth--
    else if (depth === 1 && token === '"data"' && text.startsWith(DATA, index - 1)) return index - 1
  }
  return undefined
}

/** The content of one object. */
export interface Packed {
  bytes: number
  /** SHA-256 of the object, in hex. */
  sha256: string
  entries: number
  firstSeq: number
  lastSeq: number
  snapshotSeq: number | undefined
  blocks: ArchiveBlock[]
}

/** Packs entries into an object: concatenated gzip members, which together are a gzip file. */
export class EntryPacker {
  readonly #hash = new Bun.CryptoHasher('sha256')
  readonly #blocks: ArchiveBlock[] = []
  #bytes = 0
  #entries = 0

  /** @param entries ordered by `seq` */
  async *pack(entries: AsyncIterable<Entry>): AsyncGenerator<Uint8Array> {
    let held: Entry[] = []
    let lines: string[] = []
    let bytes = 0
    for await (const entry of entries) {
      const line = `${archiveLine(entry)}\n`
      const size = Buffer.byteLength(line)
      if (lines.length > 0 && bytes + size > BLOCK_BYTES) {
        yield await this.#block(held, lines)
        held = []
        lines = []
        bytes = 0
      }
      held.push(entry)
      lines.push(line)
      bytes += size
    }
    if (lines.length > 0) yield await this.#block(held, lines)
  }

  /** What was packed; `undefined` if nothing was. Call it when `pack` is done. */
  packed(): Packed | undefined {
    const blocks = this.#blocks
    const [first, last] = [blocks[0], blocks.at(-1)]
    if (first === undefined || last === undefined) return undefined
    return {
      bytes: this.#bytes,
      sha256: this.#hash.copy().digest('hex'),
      entries: this.#entries,
      firstSeq: first.firstSeq,
      lastSeq: last.lastSeq,
      snapshotSeq: blocks.findLast(({ snapshotSeq }) => snapshotSeq !== undefined)?.snapshotSeq,
      blocks,
    }
  }

  async #block(entries: readonly Entry[], lines: readonly string[]): Promise<Uint8Array> {
    // Off the main thread, which follows streams.
    const block = await pack(lines.join(''))
    this.#blocks.push({ offset: this.#bytes, ...outline(entries) })
    this.#hash.update(block)
    this.#bytes += block.byteLength
    this.#entries += entries.length
    return block
  }
}

function outline(entries: readonly Entry[]): Omit<ArchiveBlock, 'offset'> {
  const times = entries.map(({ at }) => at)
  return {
    firstSeq: entries[0]?.seq ?? 0,
    lastSeq: entries.at(-1)?.seq ?? 0,
    firstAt: times.reduce((least, at) => Math.min(least, at), Number.POSITIVE_INFINITY),
    lastAt: times.reduce((most, at) => Math.max(most, at), 0),
    versionSeq: entries.findLast(({ kind }) => isVersionKind(kind))?.seq,
    snapshotSeq: entries.findLast(({ kind }) => kind === 'snapshot')?.seq,
  }
}

/**
 * The text of a block.
 * @throws if the block is damaged
 */
export async function unpackBlock(block: Uint8Array): Promise<string> {
  return (await unpack(block)).toString()
}
