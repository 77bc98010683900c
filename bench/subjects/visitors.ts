import { readLines } from '../lib/child.ts'

/**
 * Subscribers that come and go: each reads an event stream for a while, leaves in the middle, and opens another one.
 * `visitors.ts COUNT SEED URL ...`; each line of input, `{"changing": boolean}`, says whether they keep changing, and
 * is answered with what they have received.
 */

export interface Crowd {
  /** Connected subscribers. */
  open: number
  /** Subscriptions started so far. */
  begun: number
  /** Size of all frames. */
  bytes: number
  /** Responses that weren't a stream, and connections that ended on their own. */
  failed: number
}

/** How long a subscriber stays, in milliseconds: up to twice this. */
const STAY_MS = 5_000
/** Wait after a rejection, in milliseconds. */
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

/** Numbers from 0 to 1, repeatable by seed: a linear congruential generator modulo 2³². */
function seeded(from: number): () => number {
  let state = from >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
