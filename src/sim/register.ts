import { isObject } from './body.ts'
import { describeProblem, type WeirAnswer, type WeirClient } from './weir-client.ts'
import type { World } from './world.ts'

/** How long the web program may take to list or register. */
const REGISTER_TIMEOUT_MS = 10_000
/** Waits between attempts to register: doubled from the first to the longest. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000
/** How often Weir polls a service's state. */
const STATE_INTERVAL_MS = 1_000
const PAGE_SIZE = 500
/** How many pages are read at most; what stands on later ones may be registered again. */
const MAX_PAGES = 20

const TAG = 'sim'

interface Registration {
  url: string
  kind: 'poll' | 'sse'
  name: string
  intervalMs?: number
  tags: string[]
}

/** Refused: asking again would not help. Away: it may; `why` is left out when the client has said it. */
type Outcome =
  | { kind: 'registered'; added: number }
  | { kind: 'refused'; why: string }
  | { kind: 'away'; why?: string }

/**
 * Registers the feeds of the services, those the web program doesn't have yet, and tries until it is there.
 * @throws AbortError when `closing` aborts.
 */
export async function registerFeeds(
  services: { name: string; url: string }[],
  client: WeirClient,
  world: World,
  closing: AbortSignal,
): Promise<void> {
  const wanted = services.flatMap(feedsOf)
  let said = false
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    const outcome = await registerMissing(wanted, client)
    closing.throwIfAborted()
    if (outcome.kind === 'registered') {
      const before = wanted.length - outcome.added
      const already = before === 0 ? '' : ` (${before} of them were already)`
      world.log(`${wanted.length} streams registered with ${client.web}${already}`)
      return
    }
    if (outcome.kind === 'refused') {
      world.log(`${client.web} refuses to register the streams: ${outcome.why}`)
      return
    }
    if (outcome.why !== undefined && !said) {
      said = true
      world.log(`${client.web} can't register the streams yet: ${outcome.why}; it is tried again`)
    }
    await world.sleep(retryMs, closing)
  }
}

function feedsOf({ name, url }: { name: string; url: string }): Registration[] {
  const tags = [TAG, name]
  return [
    { url: `${url}/state`, kind: 'poll', name: `${name} state`, intervalMs: STATE_INTERVAL_MS, tags },
    { url: `${url}/events`, kind: 'sse', name: `${name} events`, tags },
  ]
}

async function registerMissing(wanted: Registration[], client: WeirClient): Promise<Outcome> {
  const present = await listUrls(client)
  if (!(present instanceof Set)) return present
  const missing = wanted.filter(({ url }) => !present.has(url))
  for (const registration of missing) {
    const answer = await client.post('/api/streams', registration, REGISTER_TIMEOUT_MS)
    const failure = failureOf(answer)
    if (failure !== undefined) return failure
  }
  return { kind: 'registered', added: missing.length }
}

async function listUrls(client: WeirClient): Promise<Set<string> | Outcome> {
  const urls = new Set<string>()
  let after: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const cursor = after === undefined ? '' : `&after=${encodeURIComponent(after)}`
    const answer = await client.get(
      `/api/streams?tag=${TAG}&limit=${PAGE_SIZE}${cursor}`,
      REGISTER_TIMEOUT_MS,
    )
    const failure = failureOf(answer)
    if (failure !== undefined) return failure
    const { items, next } = isObject(answer?.json) ? answer.json : {}
    if (!Array.isArray(items))
      return { kind: 'refused', why: 'its list of streams has no items; is it Weir?' }
    for (const item of items) if (isObject(item) && typeof item.url === 'string') urls.add(item.url)
    if (typeof next !== 'string' || next === '') break
    after = next
  }
  return urls
}

function failureOf(answer: WeirAnswer | undefined): Outcome | undefined {
  if (answer === undefined) return { kind: 'away' }
  if (answer.status >= 500) return { kind: 'away', why: describeProblem(answer) }
  if (answer.status >= 300) return { kind: 'refused', why: describeProblem(answer) }
  return undefined
}
