import { readLines } from '../lib/child.ts'

/**
 * The baseline: polls APIs at an interval with Bun's `fetch`, reads the bodies, and stores nothing. It takes its
 * options from a line of JSON on its input.
 */

export interface Ask {
  urls?: readonly string[]
  intervalMs?: number
}

let polls = 0

await readLines(Bun.stdin.stream(), (line) => {
  const { urls = [], intervalMs = 1000 } = JSON.parse(line) as Ask
  for (const [at, url] of urls.entries()) void poll(url, intervalMs, (intervalMs * at) / urls.length)
  console.log(JSON.stringify({ polls }))
})

async function poll(url: string, intervalMs: number, phaseMs: number): Promise<void> {
  for (let dueAt = performance.now() + phaseMs; ; dueAt += intervalMs) {
    await Bun.sleep(Math.max(0, dueAt - performance.now()))
    const response = await fetch(url)
    if (!response.ok) throw new Error(`${url}: ${response.status}`)
    await response.arrayBuffer()
    polls++
  }
}
