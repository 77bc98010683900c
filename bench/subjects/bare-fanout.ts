import { readLines } from '../lib/child.ts'
import { startNews } from '../lib/news.ts'

/**
 * The baseline: a stream per subscriber from `Bun.serve`. Each gets the same bytes, encoded once; nothing is stored.
 */

const controllers = new Set<ReadableStreamDefaultController<Uint8Array>>()

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  idleTimeout: 0,
  fetch() {
    let mine: ReadableStreamDefaultController<Uint8Array>
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        mine = controller
        controllers.add(controller)
        controller.enqueue(Buffer.from(': welcome\n\n'))
      },
      cancel: () => void controllers.delete(mine),
    })
    return new Response(body, {
      headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' },
    })
  },
})

const news = startNews((text, number) => {
  const frame = Buffer.from(`id: ${number}\ndata: ${text}\n\n`)
  for (const controller of controllers) controller.enqueue(frame)
})
console.log(`listening on ${server.port}`)
await readLines(Bun.stdin.stream(), (line) => console.log(JSON.stringify(news.answer(JSON.parse(line)))))
