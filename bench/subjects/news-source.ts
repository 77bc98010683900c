import { readLines } from '../lib/child.ts'
import { type Ask, MARK, newsOf, startNews } from '../lib/news.ts'

/**
 * The source of messages that others fan out: `document` changes its document with each poll, `events` serves them as
 * a stream, `post URL` posts them, and `calls URL` reports them as services and calls.
 */

/** Doesn't change, so that a patch is smaller than the document. */
const REST = Array.from({ length: 100 }, (_, id) => ({ id, name: `thing ${id}`, isThere: true }))

const [form = 'document', target = ''] = process.argv.slice(2)
const readers = new Set<ReadableStreamDefaultController<Uint8Array>>()
const polled = { isNew: false, bytes: 100, number: 0 }

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  idleTimeout: 0,
  fetch: () => (form === 'events' ? stream() : document()),
})
const timed = startNews((text, number) => {
  if (form === 'post') void post(text)
  else if (form === 'calls') void post(callsOf(number))
  else for (const reader of readers) reader.enqueue(Buffer.from(`id: ${number}\ndata: ${text}\n\n`))
})
console.log(`listening on ${server.port}`)
await readLines(Bun.stdin.stream(), (line) => console.log(JSON.stringify(answer(JSON.parse(line)))))

function answer(ask: Ask): { sent: number; readers: number } {
  polled.isNew = ask.do === 'send'
  if (ask.do === 'send') polled.bytes = ask.bytes
  const sent = form === 'document' ? polled.number : timed.answer(ask).sent
  return { sent, readers: readers.size }
}

function document(): Response {
  if (polled.isNew) polled.number++
  return Response.json({ news: newsOf(polled.number, polled.bytes), rest: REST })
}

function stream(): Response {
  let mine: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      mine = controller
      readers.add(controller)
      controller.enqueue(Buffer.from(': welcome\n\n'))
    },
    cancel: () => void readers.delete(mine),
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
}

/** A service with a new name that contains the mark, and a call from it. */
function callsOf(number: number): string {
  return JSON.stringify({
    services: [{ id: 'news', name: `News ${MARK} ${number}` }],
    calls: [{ from: 'news', to: 'readers', status: 200, durationMs: 12 }],
  })
}

async function post(body: string): Promise<void> {
  const response = await fetch(target, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json' },
  })
  await response.text()
  if (!response.ok) throw new Error(`${target}: ${response.status}`)
}
