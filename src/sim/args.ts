import { parseArgs } from 'node:util'
import {
  DEFAULT_PORT_BASE,
  ENTRY,
  LOOPBACK,
  MAX_PORT_BASE,
  type ServiceSpec,
  sampleGraph,
} from './graph/graph.ts'
import { MAX_RANDOM_SERVICES } from './graph/random-graph.ts'
import { SEED_LIMIT } from './random.ts'
import type { SimulationOptions } from './start.ts'

const SAMPLE_GRAPH = 'seed'
const DEFAULT_WEB = 'http://127.0.0.1:3000'
const DEFAULT_TIMEOUT_MS = 200
const MAX_TIMEOUT_MS = 600_000
/** Background activations per minute. */
const DEFAULT_TRAFFIC = 12
/** In the sample graph, each makes seven calls of two seconds, and Bun opens at most 256 requests at a time. */
const MAX_TRAFFIC = 600
const MAX_NAME_CHARS = 100
const MAX_PORT = 65_535

export const USAGE = `Start simulated services and register them with a running Weir.

  bun run sim [options]                          the sample graph with eight services
  bun run sim --graph WHICH [options]            a different graph
  bun run sim -l 5010 -n T [-t 1000] [options]   a single service

Single service:
  -l, --listen PORT      port, or host:port; 0 picks a free port
  -n, --node NAME        service name
  -t, --timeout MS       response time of a leaf, or timeout for called services (default: ${DEFAULT_TIMEOUT_MS})
  -s, --services ADDR    host:port of a service to call; repeatable

Graph:
  --graph WHICH          seed (the sample graph), shop (25 services), random:N (N services, up to ${MAX_RANDOM_SERVICES}),
                         or a YAML file as in docs/simulation.md (default: seed)
  --port-base N          first port; 0 picks free ports (default: ${DEFAULT_PORT_BASE}, or as in the graph)
  --traffic N            background activations per minute; 0 for none (default: ${DEFAULT_TRAFFIC}, or as in the graph)

Both:
  --web URL              URL of Weir (default: WEIR_URL, the PORT that is set, the Weir that uses DATA_DIR, or
                         ${DEFAULT_WEB}); set WEIR_TOKEN if it requires a token
  --control PORT         control port on 127.0.0.1 for GET and PUT /traffic; 0 picks a free port (default: 0)
  --seed N               seed for random choices, to repeat a run (default: random)
  --no-register          don't register the services' feeds as streams
  --remove               remove the streams that this run registered, with their logs, when it is stopped
  --help                 show this help`

const OPTIONS = {
  listen: { type: 'string', short: 'l' },
  node: { type: 'string', short: 'n' },
  timeout: { type: 'string', short: 't' },
  services: { type: 'string', short: 's', multiple: true },
  graph: { type: 'string' },
  'port-base': { type: 'string' },
  traffic: { type: 'string' },
  control: { type: 'string' },
  web: { type: 'string' },
  seed: { type: 'string' },
  'no-register': { type: 'boolean' },
  remove: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const SINGLE_ONLY = ['listen', 'node', 'timeout', 'services'] as const
const GRAPH_ONLY = ['graph', 'port-base', 'traffic'] as const

/** A graph that must be read or generated before its services are known. */
export interface ChosenGraph {
  /** `shop`, `random:N`, or a file's path. */
  which: string
  /** Overrides the graph's own value. */
  portBase?: number
  perMinute?: number
}

/** The seed is omitted if not given. With a `graph`, there are no services yet. */
export type ParsedOptions = Omit<SimulationOptions, 'seed'> & {
  seed?: number
  graph?: ChosenGraph
  /** Whether what it registered is removed in the end. */
  remove?: boolean
}

export type ParsedArguments =
  | { kind: 'help' }
  /** Every problem, one sentence each. */
  | { kind: 'invalid'; problems: string[] }
  | { kind: 'run'; options: ParsedOptions }

/** The given options by name: the last value, except for `services`. */
interface Given {
  texts: Map<string, string>
  services: string[]
  flags: Set<string>
}

/**
 * Reads the command line.
 * @param argv arguments after the program's name
 * @param token Weir's token, from the environment
 * @param web Weir's URL, unless the arguments have one
 */
export function parseArguments(
  argv: string[],
  token: string | undefined,
  web = DEFAULT_WEB,
): ParsedArguments {
  const problems: string[] = []
  const given = readTokens(argv, problems)
  if (given.flags.has('help')) return { kind: 'help' }

  const single = SINGLE_ONLY.some((name) => given.texts.has(name))
  const seed = wholeNumber(given, 'seed', { min: 0, max: SEED_LIMIT - 1 }, problems)
  const controlPort = wholeNumber(given, 'control', { min: 0, max: MAX_PORT }, problems)
  const options: ParsedOptions = {
    ...(single ? singleService(given, problems) : graph(given, problems)),
    web: webUrl(given.texts.get('web') ?? web, problems),
    register: !given.flags.has('no-register'),
    ...(given.flags.has('remove') && { remove: true }),
    ...(seed === undefined ? {} : { seed }),
    ...(controlPort === undefined ? {} : { controlPort }),
    ...bearer(token, problems),
  }
  return problems.length > 0 ? { kind: 'invalid', problems } : { kind: 'run', options }
}

/** Not strict, because strict parsing stops at the first problem. */
function readTokens(argv: string[], problems: string[]): Given {
  const { tokens } = parseArgs({ args: argv, options: OPTIONS, strict: false, tokens: true })
  const given: Given = { texts: new Map(), services: [], flags: new Set() }
  for (const token of tokens) {
    if (token.kind === 'positional') problems.push(`unexpected argument "${token.value}"`)
    if (token.kind !== 'option') continue
    const { name, rawName, value } = token
    if (!Object.hasOwn(OPTIONS, name)) {
      problems.push(`${rawName}: unknown option`)
    } else if (OPTIONS[name as keyof typeof OPTIONS].type === 'boolean') {
      given.flags.add(name)
      if (value !== undefined) problems.push(`${rawName}: expected no value, got "${value}"`)
    } else {
      given.texts.set(name, value ?? '')
      if (name === 'services') given.services.push(value ?? '')
    }
  }
  return given
}

function graph(given: Given, problems: string[]): Pick<ParsedOptions, 'services' | 'traffic' | 'graph'> {
  const which = given.texts.get('graph') ?? SAMPLE_GRAPH
  const base = wholeNumber(given, 'port-base', { min: 0, max: MAX_PORT_BASE }, problems)
  const perMinute = wholeNumber(given, 'traffic', { min: 0, max: MAX_TRAFFIC }, problems)
  if (which === SAMPLE_GRAPH) {
    return { services: sampleGraph(base), traffic: { entry: ENTRY, perMinute: perMinute ?? DEFAULT_TRAFFIC } }
  }
  if (which === '') problems.push('--graph: expected seed, shop, random:N or a file, got none')
  const chosen: ChosenGraph = { which }
  if (base !== undefined) chosen.portBase = base
  if (perMinute !== undefined) chosen.perMinute = perMinute
  return { services: [], graph: chosen }
}

function singleService(given: Given, problems: string[]): { services: ServiceSpec[] } {
  for (const name of GRAPH_ONLY) {
    if (given.texts.has(name)) problems.push(`--${name}: not allowed for a single service`)
  }
  const name = given.texts.get('node') ?? ''
  if (name === '' || name.length > MAX_NAME_CHARS) {
    problems.push(`--node: expected a name of 1 to ${MAX_NAME_CHARS} characters, got ${shown(given, 'node')}`)
  }
  const listen = parseAddress(given.texts.get('listen') ?? '')
  if (listen === undefined) {
    problems.push(`--listen: expected a port or host:port, got ${shown(given, 'listen')}`)
  }
  const timeoutMs = wholeNumber(given, 'timeout', { min: 1, max: MAX_TIMEOUT_MS }, problems)
  const services = given.services.map((text) => calledAddress(text, problems))
  for (const address of new Set(services.filter((text, position) => services.indexOf(text) !== position))) {
    problems.push(`--services: ${address} is given more than once`)
  }
  const { host = LOOPBACK, port } = listen ?? { port: 0 }
  return { services: [{ name, host, port, timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS, services }] }
}

function calledAddress(text: string, problems: string[]): string {
  const address = parseAddress(text)
  if (address?.host === undefined || address.port === 0) {
    problems.push(`--services: expected host:port, got "${text}"`)
    return text
  }
  return `${address.host}:${address.port}`
}

/** Reads a port, or a host (a name, an IPv4 address, an IPv6 address in brackets) and a port. */
function parseAddress(text: string): { host?: string; port: number } | undefined {
  const match = /^(?:([a-z0-9._-]+|\[[0-9a-f:.]+\]):)?(\d{1,5})$/i.exec(text)
  const port = Number(match?.[2])
  if (match === null || port > MAX_PORT) return undefined
  return match[1] === undefined ? { port } : { host: match[1], port }
}

function wholeNumber(
  given: Given,
  name: string,
  { min, max }: { min: number; max: number },
  problems: string[],
): number | undefined {
  const text = given.texts.get(name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  problems.push(`--${name}: expected a whole number from ${min} to ${max}, got "${text}"`)
  return undefined
}

/** The URL without a trailing slash, so that paths can be appended. */
function webUrl(text: string, problems: string[]): string {
  const url = URL.parse(text)
  const usable =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === ''
  if (usable) return url.href.replace(/\/+$/, '')
  problems.push(`--web: expected an http or https URL without credentials, query or fragment, got "${text}"`)
  return text
}

function bearer(token: string | undefined, problems: string[]): { token?: string } {
  if (token === undefined || token === '') return {}
  // Not shown: a token is a secret even if it is mistyped.
  if (!/^[\x21-\x7e]+$/.test(token))
    problems.push('WEIR_TOKEN: expected visible ASCII characters without spaces')
  return { token }
}

function shown(given: Given, name: string): string {
  const text = given.texts.get(name)
  return text === undefined ? 'none' : `"${text}"`
}
