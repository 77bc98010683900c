import { readLines } from '../lib/child.ts'

/**
 * Subscribers that come and go: each reads one of the event streams for a while, leaves in the middle of it, and comes
 * back to another one. `visitors.ts COUNT SEED URL ...`; each line of its input, `{"changing": boolean}`, says whether
 * they go on doing so, and is answered by what they have had.
 */

export interface Crowd {
  /** Subscribers that are connected. */
  open: number
  /** Subscriptions begun so far. */
  begun: number
  /** Of all frames. */
  bytes: number
  /** Answers that were no stream, and connections that ended by themselves. */
  failed: number
}

/** How long a subscriber stays, in milliseconds: up to twice this. */
const STAY_MS = 5_000
/** Wait of one that was turned away, in milliseconds. */
const RETRY_MS = 500

const [count = '1', seed = '1', ...urls] = process.argv.slice(2)
const random = seeded(Number(seed))
const crowd: Crowd = { open: 0, begun: 0, bytes: 0, failed: 0 }
let changing = true

for (let index = 0; index < Number(count); index++) void subscribeAgainAndAgain()
await readLines(Bun.stdin.stream(), (line) => {
  changing = (JSON.parse(line) as { changing: boolean }).changing
  console.log(JSON.stringify(crowd))
})

async function subscribeAgainAndAgain(): Promise<never> {
  for (;;) {
    const url = urls[Math.floor(random() * urls.length)] as string
    await subscribe(url).catch(async () => {
      crowd.failed++
      await Bun.sleep(RETRY_MS)
    })
  }
}

async function subscribe(url: string): Promise<void> {
  const leaving = new AbortController()
  const response = await fetch(url, { headers: { Accept: 'text/event-stream' }, signal: leaving.signal })
  const reader = response.body?.getReader()
  if (!response.ok || reader === undefined) throw new Error(`${response.status}`)
  crowd.open++
  crowd.begun++
  const until = performance.now() + random() * 2 * STAY_MS
  const leave = setInterval(() => {
    if (changing && performance.now() > until) leaving.abort()
  }, RETRY_MS)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) throw new Error('ended')
      crowd.bytes += value.byteLength
    }
  } catch (error) {
    if (!leaving.signal.aborted) throw error
  } finally {
    clearInterval(leave)
    crowd.open--
  }
}

/** Of numbers from 0 to 1, the same again for a seed: a linear congruential generator modulo 2³². */
function seeded(from: number): () => number {
  let state = from >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
