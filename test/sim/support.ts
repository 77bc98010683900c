import { LOOPBACK, type ServiceSpec } from '../../src/sim/graph/graph.ts'
import { drawStatus, randomFor } from '../../src/sim/random.ts'
import { type SimulationOptions, startSimulation } from '../../src/sim/start.ts'
import { realWorld, type World } from '../../src/sim/world.ts'

/** How long a condition may take to come true before the test gives up on it. */
const GIVE_UP_MS = 4_000
const LOOK_EVERY_MS = 3
/** Waits of the simulation pass this much faster in tests. */
const HURRY = 100

/** Waits for something to become true, and gives it back. */
export async function until<T>(look: () => T | undefined | false | null): Promise<T> {
  for (const giveUpAt = Date.now() + GIVE_UP_MS; Date.now() < giveUpAt; await Bun.sleep(LOOK_EVERY_MS)) {
    const found = look()
    if (found) return found
  }
  throw new Error(`never became true: ${look}`)
}

/** The real world in a hurry; what it would tell a person stands in `lines`. */
export function hurriedWorld(): World & { lines: string[] } {
  const lines: string[] = []
  return {
    ...realWorld,
    lines,
    sleep: (ms, signal) => realWorld.sleep(ms / HURRY, signal),
    log: (line) => lines.push(line),
  }
}

/** Starts services with every setting at a quiet default; they close with the test's scope. */
export async function start(
  options: Partial<SimulationOptions> & Pick<SimulationOptions, 'services' | 'web'>,
  world: World = hurriedWorld(),
) {
  const simulation = await startSimulation({ seed: 1, register: false, ...options }, world)
  const first = simulation.services[0]
  if (first === undefined) throw new Error('no service was started')
  return { ...simulation, first, [Symbol.asyncDispose]: simulation.close }
}

export function spec(name: string, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return { name, host: LOOPBACK, port: 0, timeoutMs: 2_000, services: [], ...more }
}

/** The smallest seed with which the first answers of a leaf are these. */
export function seedFor(name: string, ...statuses: number[]): number {
  for (let seed = 0; ; seed++) {
    const random = randomFor(seed, name)
    if (statuses.every((status) => drawStatus(random) === status)) return seed
  }
}

export function activate(url: string, body: unknown = { item: 'X', color: 'gold' }): Promise<Response> {
  return fetch(`${url}/activate`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
}

export interface Recorded {
  method: string
  path: string
  search: string
  authorization: string | null
  body: string
}

interface StubServer {
  url: string
  address: string
  requests: Recorded[]
  [Symbol.asyncDispose](): Promise<void>
}

/** A server that records what it is asked before it answers. */
export function recordingServer(
  answer: (request: Recorded) => Response | Promise<Response>,
  port = 0,
): StubServer {
  const requests: Recorded[] = []
  const server = Bun.serve({
    hostname: LOOPBACK,
    port,
    reusePort: false,
    fetch: async (request) => {
      const { pathname: path, search } = new URL(request.url)
      const authorization = request.headers.get('Authorization')
      const recorded = { method: request.method, path, search, authorization, body: await request.text() }
      requests.push(recorded)
      return answer(recorded)
    },
  })
  const address = `${LOOPBACK}:${server.port}`
  return { url: `http://${address}`, address, requests, [Symbol.asyncDispose]: () => server.stop(true) }
}

/** Stands in for a called service: it has a name, and answers every activation the same way. */
export function stubService(service: string, answer: () => Response | Promise<Response>): StubServer {
  return recordingServer(({ path }) => (path === '/state' ? Response.json({ service }) : answer()))
}

/** Stands in for Weir: takes every report and registration, and lists what is registered. */
export function stubWeir({ registered = [], port = 0 }: { registered?: string[]; port?: number } = {}) {
  const streams = registered.map((url) => ({ url }))
  const server = recordingServer(({ method, path, body }) => {
    if (path !== '/api/streams') return Response.json({}, { status: 202 })
    if (method === 'GET') return Response.json({ items: streams, next: null })
    streams.push(JSON.parse(body))
    return Response.json({}, { status: 201 })
  }, port)
  return Object.assign(server, { streams, colorsOf, reports })

  /** The colours a service reported, in the order they arrived. */
  function colorsOf(item: string): string[] {
    const reported = server.requests.filter(({ path }) => path === '/activate')
    return reported
      .map(({ body }) => JSON.parse(body))
      .filter((report) => report.item === item)
      .map(({ color }) => color)
  }

  function reports(): TopologyReport[] {
    return server.requests.filter(({ path }) => path === '/api/topology').map(({ body }) => JSON.parse(body))
  }
}

export interface TopologyReport {
  services?: { id: string; url: string }[]
  calls?: { from: string; to: string; status?: number; durationMs?: number }[]
}

/** A URL at which nothing listens. */
export async function deadUrl(): Promise<string> {
  await using server = recordingServer(() => new Response())
  return server.url
}

export interface ReceivedEvent {
  event: string
  id: string
  data: Record<string, unknown>
}

/** Reads an event stream for as long as the test's scope lasts. */
export async function readEvents(url: string, lastEventId?: string) {
  const controller = new AbortController()
  const headers: Record<string, string> = lastEventId === undefined ? {} : { 'Last-Event-ID': lastEventId }
  const response = await fetch(`${url}/events`, { headers, signal: controller.signal })
  const stream = { response, text: '', ended: false, events, [Symbol.dispose]: () => controller.abort() }
  void collect()
  return stream

  async function collect(): Promise<void> {
    try {
      for await (const chunk of response.body ?? []) stream.text += new TextDecoder().decode(chunk)
    } catch {
      // Ended by whoever closed it.
    }
    stream.ended = true
  }

  function events(): ReceivedEvent[] {
    const blocks = stream.text
      .split('\n\n')
      .filter((block) => /^event: /m.test(block) && block.includes('data:'))
    return blocks.map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
      return { event: field('event'), id: field('id'), data: JSON.parse(field('data')) }
    })
  }
}
