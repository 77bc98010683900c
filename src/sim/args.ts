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
/** The sample graph makes seven calls for each, of two seconds, and Bun has 256 requests open at a time. */
const MAX_TRAFFIC = 600
const MAX_NAME_CHARS = 100
const MAX_PORT = 65_535

export const USAGE = `Starts simulated services and registers them with a running Weir.

  bun run sim [options]                          the sample graph of eight services
  bun run sim --graph WHICH [options]            another graph
  bun run sim -l 5010 -n T [-t 1000] [options]   one service alone

One service alone:
  -l, --listen PORT      its port, or host:port; 0 takes a free one
  -n, --node NAME        its name
  -t, --timeout MS       a leaf answers after this, a node waits this long for its services (${DEFAULT_TIMEOUT_MS})
  -s, --services ADDR    host:port of a service it calls; may be given many times

A graph:
  --graph WHICH          seed (the sample graph), shop (25 services), random:N (N services, up to ${MAX_RANDOM_SERVICES}),
                         or a YAML file, which docs/simulation.md describes (seed)
  --port-base N          its first port; 0 gives every service a free one (${DEFAULT_PORT_BASE}, or the graph's own)
  --traffic N            background activations per minute; 0 turns them off (${DEFAULT_TRAFFIC}, or the graph's own)

Both:
  --web URL              where Weir is (${DEFAULT_WEB}); WEIR_TOKEN holds its token, if it needs one
  --control PORT         on 127.0.0.1, where GET and PUT /traffic change the traffic; 0 takes a free one (0)
  --seed N               repeats the random choices of an earlier start (random)
  --no-register          doesn't register the services' feeds as streams
  --help                 shows this`

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
  help: { type: 'boolean', short: 'h' },
} as const

const SINGLE_ONLY = ['listen', 'node', 'timeout', 'services'] as const
const GRAPH_ONLY = ['graph', 'port-base', 'traffic'] as const

/** A graph that has to be read or made before its services are known. */
export interface ChosenGraph {
  /** `shop`, `random:N`, or a file's path. */
  which: string
  /** What was given in place of the graph's own. */
  portBase?: number
  perMinute?: number
}

/** The seed is left out when it wasn't given. With a `graph`, there are no services yet. */
export type ParsedOptions = Omit<SimulationOptions, 'seed'> & { seed?: number; graph?: ChosenGraph }

export type ParsedArguments =
  | { kind: 'help' }
  /** All that is wrong, one sentence each. */
  | { kind: 'invalid'; problems: string[] }
  | { kind: 'run'; options: ParsedOptions }

/** What was given, by name: the last value, but all of `services`. */
interface Given {
  texts: Map<string, string>
  services: string[]
  flags: Set<string>
}

/**
 * Reads the command line.
 * @param argv what stands behind the program's name.
 * @param token the web program's token, from the environment.
 */
export function parseArguments(argv: string[], token: string | undefined): ParsedArguments {
  const problems: string[] = []
  const given = readTokens(argv, problems)
  if (given.flags.has('help')) return { kind: 'help' }

  const single = SINGLE_ONLY.some((name) => given.texts.has(name))
  const seed = wholeNumber(given, 'seed', { min: 0, max: SEED_LIMIT - 1 }, problems)
  const controlPort = wholeNumber(given, 'control', { min: 0, max: MAX_PORT }, problems)
  const options: ParsedOptions = {
    ...(single ? singleService(given, problems) : graph(given, problems)),
    web: webUrl(given.texts.get('web') ?? DEFAULT_WEB, problems),
    register: !given.flags.has('no-register'),
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
      problems.push(`${rawName}: there is no such option`)
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
    if (given.texts.has(name))
      problems.push(`--${name}: only goes with the sample graph, not with one service`)
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

/** The URL without a slash at its end, so that paths can follow. */
function webUrl(text: string, problems: string[]): string {
  const url = URL.parse(text)
  const usable =
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password + url.search + url.hash === ''
  if (usable) return url.href.replace(/\/+$/, '')
  problems.push(`--web: expected an http or https URL without credentials, query and fragment, got "${text}"`)
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
