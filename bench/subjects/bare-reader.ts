import { readLines } from '../lib/child.ts'

/**
 * The baseline: reads event streams with Bun's `fetch`, counts their events, and stores nothing. `bare-reader.ts URL
 * ...` answers each line of input with a line of JSON.
 */

let events = 0

await readLines(Bun.stdin.stream(), (line) => {
  const { urls = [] } = JSON.parse(line) as { urls?: string[] }
  for (const url of urls) void read(url)
  console.log(JSON.stringify({ events }))
})

async function read(url: string): Promise<void> {
  const response = await fetch(url, { headers: { Accept: 'text/event-stream' } })
  let wasLineEnd = false
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    // An event ends with an empty line.
    for (const byte of chunk) {
      if (byte === 10 && wasLineEnd) events++
      wasLineEnd = byte === 10
    }
  }
}
