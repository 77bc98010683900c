import { createInterface } from 'node:readline'
import { EventSource } from 'eventsource'

/** The `eventsource` package under Node: one object a stream, counts events, and stores nothing. */

let events = 0

createInterface({ input: process.stdin }).on('line', (line) => {
  for (const url of JSON.parse(line).urls ?? []) {
    const source = new EventSource(url)
    source.addEventListener('message', () => events++)
  }
  console.log(JSON.stringify({ events }))
})
