import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { documentAt, HISTORY, newestAt, patchTo, payload, REPLAYED, type Source, sources } from './content.ts'

/**
 * The upstream, a process of its own so that it can be killed and frozen: `upstream-main.ts PORT STARTED_AT COUNT
 * JOURNAL`. `/<name>` is a source; `POST /control/<verb>` makes it misbehave or fall still. Every number is written
 * to the journal before it goes on the newest socket of its source.
 */

/** How often connections are looked at, in milliseconds. */
const TICK_MS = 40
/** A connection that nothing was written to for this long gets a comment, in milliseconds. */
const HEARTBEAT_MS = 1_000
/** Reconnection time that sources ask for, in milliseconds. */
const RETRY_MS = 200

interface Connection {
  source: Source
  controller: ReadableStreamDefaultController<Uint8Array>
  /** Next number to write. */
  next: number
  writtenAt: number
  /** Nothing is written until then. */
  stalledUntil: number
}

const [port, startedAt, count, journal] = process.argv.slice(2)
const origin = Number(startedAt)
const bySource = new Map(sources(Number(count)).map((source) => [source.name, source]))
const connections = new Set<Connection>()
/** What is written to an older connection reaches a process that was replaced, if any: it doesn't count as sent. */
const newestOf = new Map<Source, Connection>()
const utf8 = new TextEncoder()
/** When numbers stopped being made; kept in a file beside the journal, for the next process. */
const hushFile = `${journal}.hush`
let hushedAt = existsSync(hushFile) ? Number(readFileSync(hushFile, 'utf8')) : Number.POSITIVE_INFINITY

const newest = () => newestAt(origin, Math.min(Date.now(), hushedAt))

function frame(source: Source, number: number): string {
  const { behaviour } = source
  const id = behaviour === 'plain' || behaviour === 'patched' ? '' : `id: ${number}\n`
  const isDocument = behaviour === 'patched' || behaviour === 'resumed'
  const data = isDocument
    ? `event: patch\ndata: ${patchTo(source, number)}`
    : `data: ${payload(source, number)}`
  return `${id}${data}\n\n`
}

function snapshotFrame(source: Source, number: number): string {
  const id = source.behaviour === 'resumed' ? `id: ${number}\n` : ''
  return `${id}event: data\ndata: ${JSON.stringify(documentAt(source, number))}\n\n`
}

function journalLine({ index }: Source, number: number): string {
  return `${index} ${number} ${Date.now()}\n`
}

/** What a connection begins with, and the number it goes on with. */
function greeting(source: Source, lastEventId: string | null): { text: string; next: number; sent?: number } {
  const last = newest()
  const text = `retry: ${RETRY_MS}\n\n`
  switch (source.behaviour) {
    case 'replaying':
      return { text, next: Math.max(1, last - REPLAYED + 1) }
    case 'patched':
      return { text: text + snapshotFrame(source, last), next: last + 1, sent: last }
    case 'numbered':
    case 'resumed': {
      const known = Number(lastEventId)
      if (lastEventId !== null) return { text, next: Math.max(known + 1, last - HISTORY + 1) }
      if (source.behaviour === 'numbered') return { text, next: last + 1 }
      return { text: text + snapshotFrame(source, last), next: last + 1, sent: last }
    }
    default:
      return { text, next: last + 1 }
  }
}

function follow(source: Source, request: Request): Response {
  const { text, next, sent } = greeting(source, request.headers.get('last-event-id'))
  let connection: Connection
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      connection = { source, controller, next, writtenAt: Date.now(), stalledUntil: 0 }
      connections.add(connection)
      newestOf.set(source, connection)
      if (sent !== undefined) appendFileSync(journal as string, journalLine(source, sent))
      controller.enqueue(utf8.encode(text))
    },
    cancel: () => void connections.delete(connection),
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } })
}

function poll(source: Source, request: Request): Response {
  const version = newest()
  const etag = `"${version}"`
  // Every other polled source knows validators.
  if (source.index % 2 === 1) return Response.json(documentAt(source, version))
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304 })
  return Response.json(documentAt(source, version), { headers: { ETag: etag } })
}

function tick(): void {
  const now = Date.now()
  const last = newest()
  let lines = ''
  const writes: [Connection, string][] = []
  for (const connection of connections) {
    if (connection.stalledUntil > now) continue
    let text = ''
    const { source } = connection
    const isSilent = source.behaviour === 'silent'
    for (; !isSilent && connection.next <= last; connection.next++) {
      text += frame(source, connection.next)
      if (newestOf.get(source) === connection) lines += journalLine(source, connection.next)
    }
    if (text === '' && now - connection.writtenAt >= HEARTBEAT_MS) text = ': still here\n\n'
    if (text !== '') writes.push([connection, text])
  }
  if (lines !== '') appendFileSync(journal as string, lines)
  for (const [connection, text] of writes) write(connection, text, now)
}

function write(connection: Connection, text: string, now: number): void {
  connection.writtenAt = now
  try {
    connection.controller.enqueue(utf8.encode(text))
  } catch {
    connections.delete(connection)
  }
}

/** Misbehaves on the connections of every `every`th source, from `offset`. */
function misbehave(verb: string, query: URLSearchParams): Response {
  const asked = (name: string) => Number(query.get(name) ?? 0)
  const [every, offset, forMs] = [asked('every') || 1, asked('offset'), asked('forMs')]
  const chosen = [...connections].filter(({ source }) => (source.index + offset) % every === 0)
  for (const connection of chosen) {
    const { source, controller } = connection
    if (verb === 'stall') connection.stalledUntil = Date.now() + forMs
    if (verb === 'cut' && source.behaviour !== 'silent') {
      const text = frame(source, connection.next)
      appendFileSync(journal as string, journalLine(source, connection.next))
      controller.enqueue(utf8.encode(text.slice(0, text.length / 2)))
    }
    if (verb === 'stall') continue
    connections.delete(connection)
    if (verb === 'drop') controller.error(new Error('dropped'))
    else controller.close()
  }
  return Response.json({ connections: chosen.length })
}

function control(verb: string, query: URLSearchParams): Response {
  if (verb === 'hush') {
    hushedAt = Math.min(hushedAt, Date.now())
    appendFileSync(hushFile, String(hushedAt))
  }
  if (verb === 'hush' || verb === 'state') return Response.json({ newest: newest(), open: connections.size })
  return misbehave(verb, query)
}

const server = Bun.serve({
  port: Number(port),
  hostname: '127.0.0.1',
  reusePort: false,
  idleTimeout: 0,
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname.startsWith('/control/')) return control(pathname.slice('/control/'.length), searchParams)
    const source = bySource.get(pathname.slice(1))
    if (source === undefined) return new Response('no such source', { status: 404 })
    return source.behaviour === 'polled' ? poll(source, request) : follow(source, request)
  },
})

setInterval(tick, TICK_MS)
console.log(`listening on ${server.port}`)
