import { DEFAULT_ERROR_CODES } from '../service/behaviour.ts'
import { MAX_GENERATORS } from '../traffic.ts'
import { type Fault, list, wrong } from './fields.ts'
import { type Graph, LOOPBACK, type Quantiles, type ServiceSpec, type Traffic } from './graph.ts'
import { file, generator, MAX_PORT, type ServiceFields } from './graph-fields.ts'
import { checkGraph, MAX_FAULTS } from './graph-rules.ts'
import { lineOf } from './lines.ts'
import { always } from './quantiles.ts'
import { parseYaml } from './yaml.ts'

/** Of a graph file; a larger one is refused unread. */
export const MAX_FILE_BYTES = 1_048_576
const DEFAULT_LATENCY_MS: Quantiles = { p50: 10, p90: 30, p99: 100 }

export type GraphOrProblems = { graph: Graph } | { problems: string[] }

/**
 * Reads a graph file's text, or says all that is wrong with it, a sentence each.
 * @param portBase what counts in place of the file's own.
 */
export function readGraph(yaml: string, portBase?: number): GraphOrProblems {
  if (Buffer.byteLength(yaml) > MAX_FILE_BYTES) {
    return { problems: [`the file is larger than ${MAX_FILE_BYTES} bytes`] }
  }
  const parsed = parseYaml(yaml)
  if ('problem' in parsed) return { problems: [parsed.problem] }
  return graphFrom(parsed.value, { yaml, portBase })
}

/** Reads what a graph file says; `yaml`, its text, shows at which lines it is wrong. */
export function graphFrom(
  value: unknown,
  { yaml = '', portBase }: { yaml?: string; portBase?: number | undefined } = {},
): GraphOrProblems {
  const faults: Fault[] = []
  const { seed, services = [], traffic = [], ...fields } = file(value, '', faults) ?? {}
  const base = portBase ?? fields.portBase ?? 0
  if (base > 0 && base + services.length - 1 > MAX_PORT) {
    wrong(faults, 'portBase', `from ${base} on there are no ports for ${services.length} services`)
  }
  const specs = services.map((service, at) => serviceSpec(service, base === 0 ? 0 : base + at))
  const ordered = checkGraph({ services: specs, traffic }, faults)
  if (faults.length > 0) return { problems: sentences(faults, yaml) }
  return { graph: { services: ordered, traffic, ...(seed === undefined ? {} : { seed }) } }
}

/** Reads what `PUT /traffic` is sent: a list of generators, as in a graph file. */
export function readTraffic(
  value: unknown,
  services: readonly string[],
): { traffic: Traffic[] } | { faults: Fault[] } {
  const faults: Fault[] = []
  const traffic = list(generator, { max: MAX_GENERATORS })(value, 'traffic', faults) ?? []
  if (faults.length === 0) {
    for (const [at, { entry }] of traffic.entries()) {
      if (!services.includes(entry)) wrong(faults, `traffic[${at}].to`, `there is no service "${entry}"`)
    }
  }
  return faults.length > 0 ? { faults } : { traffic }
}

function sentences(faults: Fault[], yaml: string): string[] {
  const told = faults.slice(0, MAX_FAULTS).map(({ path, sentence }) => {
    const line = lineOf(yaml, path)
    const where = path === '' ? 'the file' : path
    return `${where}${line === undefined ? '' : ` (line ${line})`}: ${sentence}`
  })
  const more = faults.length - told.length
  return more > 0 ? [...told, `and ${more} more`] : told
}

function serviceSpec(fields: ServiceFields, defaultPort: number): ServiceSpec {
  const { calls: steps = [], name = '', host = LOOPBACK, port = defaultPort, group, rateLimit, feed } = fields
  const called = steps.flat()
  return {
    name,
    host,
    port,
    timeoutMs: Math.max(0, ...called.map(({ timeoutMs }) => timeoutMs)),
    services: [...new Set(called.map(({ service }) => service))],
    ...(fields.count === undefined ? {} : { count: fields.count }),
    lab: {
      kind: fields.kind ?? 'service',
      latencyMs: fields.latencyMs ?? DEFAULT_LATENCY_MS,
      errorRate: fields.errorRate ?? 0,
      errorCodes: fields.errorCodes ?? DEFAULT_ERROR_CODES,
      payloadBytes: fields.payloadBytes ?? always(0),
      steps,
      ...(group === undefined ? {} : { group }),
      ...(rateLimit === undefined ? {} : { rateLimit }),
      ...(feed === undefined ? {} : { feed }),
    },
  }
}
