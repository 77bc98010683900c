import { isObject } from '../service/body.ts'
import type { SimWorld } from '../world.ts'
import { describeProblem, type SimClient, type WeirAnswer } from './client.ts'

/** How long Weir may take to list or register. */
const REGISTER_TIMEOUT_MS = 10_000
/** How long it may take to remove them, in milliseconds: somebody waits for the program to end. */
export const REMOVE_TIMEOUT_MS = 10_000
/** Waits between attempts to register: doubled from the first to the longest. */
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 10_000
/** How often Weir polls a service's state. */
const STATE_INTERVAL_MS = 1_000
/** How often it polls the states of a graph with many services, so that they alone don't keep it busy. */
const MANY_STATE_INTERVAL_MS = 10_000
const MANY_SERVICES = 50
const PAGE_SIZE = 500
/** Maximum pages read; streams on later ones may be registered again. */
const MAX_PAGES = 20

const TAG = 'sim'

/** A service whose feeds are registered. */
interface Registered {
  name: string
  url: string
  /** How often its feed may change, in milliseconds; undefined if it has none. */
  feedIntervalMs?: number | undefined
}

interface Registration {
  url: string
  kind: 'poll' | 'sse'
  name: string
  intervalMs?: number
  tags: string[]
}

/** Refused: a retry wouldn't help. Away: it may; `why` is omitted if the client has logged it. */
type Failure = { kind: 'refused'; why: string } | { kind: 'away'; why?: string }
type Outcome = { kind: 'registered'; added: number } | Failure

export interface RegisterDeps {
  client: SimClient
  world: SimWorld
  closing: AbortSignal
  /** Gets the ID of each stream that is registered. */
  registered: Set<string>
}

/**
 * Registers the feeds that Weir doesn't have yet, and retries until Weir is up.
 * @throws AbortError when `closing` aborts.
 */
export async function registerFeeds(
  services: Registered[],
  { client, world, closing, registered }: RegisterDeps,
): Promise<void> {
  const stateIntervalMs = services.length > MANY_SERVICES ? MANY_STATE_INTERVAL_MS : STATE_INTERVAL_MS
  const wanted = services.flatMap((service) => feedsOf(service, stateIntervalMs))
  let said = false
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    const outcome = await registerMissing(wanted, { client, closing, registered })
    closing.throwIfAborted()
    if (outcome.kind === 'registered') {
      const before = wanted.length - outcome.added
      const already = before === 0 ? '' : ` (${before} already registered)`
      world.log(`${wanted.length} streams registered with ${client.web}${already}`)
      return
    }
    if (outcome.kind === 'refused') {
      world.log(`${client.web} rejected the streams: ${outcome.why}`)
      return
    }
    if (outcome.why !== undefined && !said) {
      said = true
      world.log(`${client.web} can't register the streams yet: ${outcome.why}. Retrying.`)
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

/** Says what becomes of the streams that were registered, and removes them with their logs if that is wanted. */
export async function leave(
  registered: ReadonlySet<string>,
  remove: boolean,
  client: SimClient,
  world: SimWorld,
): Promise<void> {
  if (registered.size === 0) return
  if (!remove) {
    const stay = registered.size === 1 ? '1 stream stays' : `${registered.size} streams stay`
    world.log(`${stay} registered, with the tag ${TAG}; --remove removes what a run registers`)
    return
  }
  const answer = await client.post(
    '/api/streams/bulk',
    { action: 'delete', ids: [...registered] },
    REMOVE_TIMEOUT_MS,
  )
  const failure = failureOf(answer)
  const why = failure?.why === undefined ? '' : `: ${failure.why}`
  world.log(
    failure === undefined
      ? `${registered.size === 1 ? '1 stream' : `${registered.size} streams`} removed`
      : `the streams can't be removed${why}; they have the tag ${TAG}`,
  )
}

async function registerMissing(
  wanted: Registration[],
  { client, closing, registered }: Omit<RegisterDeps, 'world'>,
): Promise<Outcome> {
  const present = await listUrls(client)
  if (!(present instanceof Set)) return present
  const missing = wanted.filter(({ url }) => !present.has(url))
  for (const registration of missing) {
    closing.throwIfAborted()
    const answer = await client.post('/api/streams', registration, REGISTER_TIMEOUT_MS)
    const failure = failureOf(answer)
    if (failure !== undefined) return failure
    const { id } = isObject(answer?.json) ? answer.json : {}
    if (typeof id === 'string') registered.add(id)
  }
  return { kind: 'registered', added: missing.length }
}

async function listUrls(client: SimClient): Promise<Set<string> | Failure> {
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
    if (!Array.isArray(items)) return { kind: 'refused', why: 'it returned no list of streams; is it Weir?' }
    for (const item of items) if (isObject(item) && typeof item.url === 'string') urls.add(item.url)
    if (typeof next !== 'string' || next === '') break
    after = next
  }
  return urls
}

function failureOf(answer: WeirAnswer | undefined): Failure | undefined {
  if (answer === undefined) return { kind: 'away' }
  if (answer.status >= 500) return { kind: 'away', why: describeProblem(answer) }
  if (answer.status >= 300) return { kind: 'refused', why: describeProblem(answer) }
  return undefined
}
