import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { ArchiveBlock } from '../../drizzle/schema.ts'
import {
  type Entry,
  entryJson,
  JSON_KINDS,
  type LoggedRequest,
  type LoggedResponse,
} from '../streams/recording/entry.ts'

/** Text in one gzip member, in bytes, beyond its first line: what one read of a single entry takes apart. */
const BLOCK_BYTES = 1_048_576
/** Stored JSON with these is JSON, but no line, or none that strict readers take: a surrogate escaped alone is no text. */
const UNREADABLE = /[\r\n]|\\ud[89a-f]/i
const ESCAPE = /\\(?:ud[89ab]..\\ud[c-f]..|ud[89a-f]..|.)/gis
const LONE_SURROGATE = /^\\ud[89a-f]..$/i

const pack = promisify(gzip)
const unpack = promisify(gunzip)

/**
 * An entry as a line: the API's JSON. Stored JSON that can't stand in a line as it is is made to, and the text as it was
 * stored is in `dataText`.
 */
export function entryLine(entry: Entry): string {
  const { kind, data } = entry
  if (data === undefined || !JSON_KINDS.has(kind) || !UNREADABLE.test(data)) return entryJson(entry)
  const readable = data
    .replaceAll(/[\r\n]/g, ' ')
    .replaceAll(ESCAPE, (code) => (LONE_SURROGATE.test(code) ? '\\ufffd' : code))
  if (readable === data) return entryJson(entry)
  const line = { ...entry, dataText: data, data: readable }
  return entryJson(line)
}

interface Line extends Omit<Entry, 'at' | 'data' | 'exchange'> {
  at: string
  dataText?: string
  request?: LoggedRequest
  response?: LoggedResponse
}

/** The entry of a line, with stored JSON character for character. @throws SyntaxError */
export function lineEntry(text: string): Entry {
  const start = dataStart(text)
  const head = start === undefined ? text : `${text.slice(0, start)}}`
  const { at, dataText, request, response, ...rest } = JSON.parse(head) as Line
  const entry: Entry = { ...rest, at: Date.parse(at) }
  if (request !== undefined) entry.exchange = response === undefined ? { request } : { request, response }
  if (start === undefined) return entry
  const stored = text.slice(start + DATA.length, -1)
  entry.data = dataText ?? (JSON_KINDS.has(entry.kind) ? stored : JSON.parse(stored))
  return entry
}

const DATA = ',"data":'
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}]/g

/** Where the line's own `data` begins, which is its last member; `undefined` where it has none. */
function dataStart(text: string): number | undefined {
  let depth = 0
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{') depth++
    else if (token === '}') depth--
    else if (depth === 1 && token === '"data"' && text.startsWith(DATA, index - 1)) return index - 1
  }
  return undefined
}

/** What was packed into one object. */
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

/** Packs entries into an object: gzip members one after the other, which together are a gzip file. */
export class Packer {
  readonly #hash = new Bun.CryptoHasher('sha256')
  readonly #blocks: ArchiveBlock[] = []
  #bytes = 0
  #entries = 0

  /** @param entries in the order of `seq` */
  async *pack(entries: AsyncIterable<Entry>): AsyncGenerator<Uint8Array> {
    let held: Entry[] = []
    let lines: string[] = []
    let bytes = 0
    for await (const entry of entries) {
      const line = `${entryLine(entry)}\n`
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

  /** What was packed; `undefined` when there was nothing. To be asked when all is. */
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
    // Not on this thread: there, streams are followed.
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
    versionSeq: entries.findLast(({ kind }) => kind === 'snapshot' || kind === 'patch')?.seq,
    snapshotSeq: entries.findLast(({ kind }) => kind === 'snapshot')?.seq,
  }
}

/** The text of a block. @throws where it is damaged */
export async function unpackBlock(block: Uint8Array): Promise<string> {
  return (await unpack(block)).toString()
}
