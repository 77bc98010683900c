import { isObject } from '../service/body.ts'
import type { World } from '../world.ts'
import { describeProblem, type WeirAnswer, type WeirClient } from './client.ts'

/** How long the web program may take to list or register. */
const REGISTER_TIMEOUT_MS = 10_000
/** Waits between attempts to register: doubled from the first to the longest. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000
/** How often Weir polls a service's state. */
const STATE_INTERVAL_MS = 1_000
/** How often it polls the states of a graph of many services, so that they don't keep it busy by themselves. */
const MANY_STATE_INTERVAL_MS = 10_000
const MANY_SERVICES = 50
const PAGE_SIZE = 500
/** How many pages are read at most; what stands on later ones may be registered again. */
const MAX_PAGES = 20

const TAG = 'sim'

/** A service whose streams are registered. */
interface Registered {
  name: string
  url: string
  /** How often its feed may change, in milliseconds; undefined when it has none. */
  feedIntervalMs?: number | undefined
}

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
  services: Registered[],
  client: WeirClient,
  world: World,
  closing: AbortSignal,
): Promise<void> {
  const stateIntervalMs = services.length > MANY_SERVICES ? MANY_STATE_INTERVAL_MS : STATE_INTERVAL_MS
  const wanted = services.flatMap((service) => feedsOf(service, stateIntervalMs))
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

function feedsOf({ name, url, feedIntervalMs }: Registered, stateIntervalMs: number): Registration[] {
  const tags = [TAG, name]
  const feeds: Registration[] = [
    { url: `${url}/state`, kind: 'poll', name: `${name} state`, intervalMs: stateIntervalMs, tags },
    { url: `${url}/events`, kind: 'sse', name: `${name} events`, tags },
  ]
  if (feedIntervalMs === undefined) return feeds
  const intervalMs = Math.max(feedIntervalMs, STATE_INTERVAL_MS)
  return [...feeds, { url: `${url}/feed`, kind: 'poll', name: `${name} feed`, intervalMs, tags }]
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
