import type { Server } from 'bun'
import { LOOPBACK, type Traffic } from './graph/graph.ts'
import { readTraffic } from './graph/graph-file.ts'
import { parseJson, readText } from './service/body.ts'
import { methodNotAllowed } from './service/http.ts'
import { PortError } from './service/service.ts'
import type { TrafficControl } from './traffic.ts'

const MAX_BODY_BYTES = 65_536

const METHODS = new Map<string, readonly string[]>([
  ['/', ['GET', 'HEAD']],
  ['/traffic', ['GET', 'HEAD', 'PUT']],
])

export interface ControlOptions {
  /** 0 takes a free one. */
  port: number
  seed: number
  services: readonly { name: string; url: string }[]
  traffic: TrafficControl
}

export interface Control {
  url: string
  close(): Promise<void>
}

/**
 * Where the simulation as a whole takes orders, on the loopback address only.
 * @throws PortError when its port is taken or not allowed.
 */
export function startControl(options: ControlOptions): Control {
  const server = listen(options)
  return { url: `http://${LOOPBACK}:${server.port}`, close: () => server.stop(true) }
}

function listen(options: ControlOptions): Server<undefined> {
  const { port } = options
  try {
    return Bun.serve({
      hostname: LOOPBACK,
      port,
      reusePort: false,
      development: false,
      maxRequestBodySize: MAX_BODY_BYTES,
      fetch: (request) => route(request, options),
    })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    const remedy = 'choose another with --control, or 0 for a free one.'
    throw new PortError(
      `The control port ${port} of ${LOOPBACK} can't be listened on: ${why} Please ${remedy}`,
      {
        cause: error,
      },
    )
  }
}

function route(request: Request, options: ControlOptions): Response | Promise<Response> {
  const { pathname } = new URL(request.url)
  const methods = METHODS.get(pathname)
  if (methods === undefined) return problem(404, 'not_found', 'There is / and /traffic.')
  if (!methods.includes(request.method)) return methodNotAllowed(methods)
  const { seed, services, traffic } = options
  if (pathname === '/') return Response.json({ seed, services, traffic: traffic.current.map(asInFile) })
  return request.method === 'PUT' ? replaceTraffic(request, options) : shownTraffic(traffic)
}

async function replaceTraffic(request: Request, { services, traffic }: ControlOptions): Promise<Response> {
  const text = await readText(request.body, MAX_BODY_BYTES).catch(() => undefined)
  const names = services.map(({ name }) => name)
  const read = readTraffic(parseJson(text), names)
  if ('traffic' in read) {
    traffic.set(read.traffic)
    return shownTraffic(traffic)
  }
  const [first] = read.faults
  return problem(
    422,
    'invalid_traffic',
    read.faults.map(({ path, sentence }) => `${path}: ${sentence}`).join('\n'),
    {
      field: first?.path,
    },
  )
}

function shownTraffic(traffic: TrafficControl): Response {
  return Response.json(traffic.current.map(asInFile))
}

/** A generator as a graph file writes it. */
function asInFile({ entry, ...rest }: Traffic) {
  return { to: entry, ...rest }
}

/** RFC 9457. */
function problem(status: number, code: string, detail: string, more: object = {}): Response {
  return Response.json(
    { status, code, detail, ...more },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  )
}
