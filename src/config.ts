import { resolve } from 'node:path'
import ipaddr from 'ipaddr.js'
import { type Environment, firstGiven, PROXY_VARIABLES } from './environment.ts'

/** The settings, parsed once from the environment. Durations in milliseconds, sizes in bytes. */
export interface Config {
  readonly port: number
  readonly host: string
  readonly dataDir: string
  readonly databaseUrl: string | undefined
  readonly redisUrl: string | undefined
  readonly role: 'all' | 'web' | 'worker'
  readonly token: string | undefined
  readonly streamsPerWorker: number
  readonly requestTimeoutMs: number
  readonly maxBodyBytes: number
  readonly silenceMs: number
  /** Unset: the address it listens on. */
  readonly publicUrl: string | undefined
  readonly proxyLingerMs: number
  /** Unset: none. */
  readonly proxyOrigins: readonly string[] | undefined
  /** Hosts, `host:port`, IP addresses and CIDR ranges. Unset: none. */
  readonly allowHosts: readonly string[] | undefined
  /** HTTP proxies for outgoing requests, by the scheme of the URL. Unset: no proxy. */
  readonly upstreamProxy: UpstreamProxy | undefined
  /** As in `NO_PROXY`. Unset: loopback only. */
  readonly upstreamNoProxy: readonly string[] | undefined
  /** Unset: inferred from the streams themselves. */
  readonly egressCheckHosts: readonly string[] | undefined
  /** Requests per second from one client; 0: unlimited. */
  readonly rateLimit: number
  readonly rateBurst: number
  /** Requests per second that Weir sends on behalf of one client, per host and in total; 0: unlimited. */
  readonly proxyRatePerHost: number
  readonly proxyRate: number
  readonly maxSubscribersPerClient: number
  readonly maxSubscribers: number
  /** IP addresses and CIDR ranges. Unset: `X-Forwarded-For` is ignored. */
  readonly trustProxy: readonly string[] | undefined
  readonly incidentWaitMs: number
  readonly incidentRemindMs: number
  readonly retentionDays: number
  /** Unset: unlimited. */
  readonly retentionMaxBytes: number | undefined
  readonly retentionMaxEntries: number | undefined
  readonly minutesDays: number
  /** Unset, like every other S3 setting without a default: nothing is archived. */
  readonly s3Endpoint: string | undefined
  readonly s3Bucket: string | undefined
  readonly s3Region: string
  readonly s3AccessKeyId: string | undefined
  readonly s3SecretAccessKey: string | undefined
  readonly s3Prefix: string
  readonly logFormat: 'text' | 'json'
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Unset: a worker doesn't listen. */
  readonly opsPort: number | undefined
  readonly drainMs: number
  /** Base URL. Unset: tracing is off. */
  readonly otelEndpoint: string | undefined
  readonly otelHeaders: Readonly<Record<string, string>> | undefined
  readonly otelServiceName: string
  /** From 0 to 1. */
  readonly otelRatio: number
  readonly otelPropagates: 'yes' | 'no'
  /** Environment variables that were set; all others have their default. */
  readonly given: ReadonlySet<string>
}

/** Absolute `http:` or `https:` URLs, which may hold credentials. */
export interface UpstreamProxy {
  readonly http?: string
  readonly https?: string
}

/** A setting in effect, as text for people. */
export interface SettingInForce {
  /** Environment variable. */
  key: string
  /** One-line description, with the unit. */
  about: string
  /** As it would be set in the environment, without credentials; undefined when off, and for secrets. */
  value: string | undefined
  isGiven: boolean
  isSecret: boolean
  /** The default; undefined when off by default. */
  fallback: string | undefined
  /** For settings that are off by default. */
  example: string | undefined
}

/** Every problem with the environment at once, one line per key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'))
  }
}

interface Setting<T> {
  key: string
  /** One-line description, with the unit; printed into `.env.example`. */
  about: string
  /** The default as text; undefined when the setting is off by default. */
  fallback?: string
  /** An example, for settings that are off by default. */
  example?: string
  /** Never shown again. */
  isSecret?: true
  parse(text: string): T
}

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '::1', 'localhost'])

const SETTINGS = {
  port: {
    key: 'PORT',
    about: 'TCP port for the console and the API; 0 picks a free port.',
    fallback: '3000',
    parse: integer(0, 65_535),
  },
  host: {
    key: 'HOST',
    about: 'Address to listen on. Anything but loopback requires WEIR_TOKEN.',
    fallback: '127.0.0.1',
    parse: asIs,
  },
  dataDir: {
    key: 'DATA_DIR',
    about: 'Directory for the embedded database; ignored when DATABASE_URL is set.',
    fallback: './data',
    parse: (text: string) => resolve(text),
  },
  databaseUrl: {
    key: 'DATABASE_URL',
    about: 'Postgres connection URL. Default: the embedded database.',
    example: 'postgres://user:password@localhost:5432/weir',
    parse: url('postgres:', 'postgresql:'),
  },
  redisUrl: {
    key: 'REDIS_URL',
    about:
      'Redis connection URL for the job queue, and for limits that all processes count together. Default: tables in the ' +
      'database, and each process counts its limits on its own.',
    example: 'redis://localhost:6379',
    parse: url('redis:', 'rediss:'),
  },
  role: {
    key: 'ROLE',
    about:
      'Process role: web (console and API), worker (runs streams), or all. web and worker require DATABASE_URL.',
    fallback: 'all',
    parse: choice('all', 'web', 'worker'),
  },
  token: {
    key: 'WEIR_TOKEN',
    about:
      'Admin token, at least 16 characters: signs in to the console and creates API keys. When set, every request ' +
      'requires it or an API key.',
    example: 'a-long-random-secret',
    isSecret: true,
    parse: secret,
  },
  streamsPerWorker: {
    key: 'STREAMS_PER_WORKER',
    about: 'Maximum number of streams that one process runs.',
    fallback: '10000',
    parse: integer(1, 100_000),
  },
  requestTimeoutMs: {
    key: 'REQUEST_TIMEOUT_MS',
    about: 'Timeout for response headers, and for the whole response to a poll, in milliseconds.',
    fallback: '30000',
    parse: integer(100, 600_000),
  },
  maxBodyBytes: {
    key: 'MAX_BODY_BYTES',
    about: 'Maximum size of an upstream response body or a single event after decompression, in bytes.',
    fallback: '10485760',
    parse: integer(1_024, 268_435_456),
  },
  silenceMs: {
    key: 'SILENCE_MS',
    about: 'Time without a byte after which an event stream is stalled, in milliseconds.',
    fallback: '45000',
    parse: integer(1_000, 86_400_000),
  },
  publicUrl: {
    key: 'PUBLIC_URL',
    about: 'URL at which users and workers reach Weir. Default: the address and port it listens on.',
    example: 'https://weir.example.com',
    parse: url('http:', 'https:'),
  },
  proxyLingerMs: {
    key: 'PROXY_LINGER_MS',
    about: 'How long a proxied API is still polled after its last subscriber disconnects, in milliseconds.',
    fallback: '60000',
    parse: integer(10_000, 86_400_000),
  },
  proxyOrigins: {
    key: 'PROXY_ORIGINS',
    about: 'Other origins whose pages may subscribe to the proxy (CORS), comma-separated.',
    example: 'https://app.example.com',
    parse: origins,
  },
  allowHosts: {
    key: 'ALLOW_HOSTS',
    about:
      'Private destinations that Weir may connect to: hosts, host:port, IP addresses or CIDR ranges, comma-separated. ' +
      'Everything is allowed when Weir listens on loopback and nothing exposes it to other machines: PUBLIC_URL or ' +
      'PROXY_ORIGINS with another host, or TRUST_PROXY.',
    example: 'hooks.internal,10.0.0.5:8080,192.168.0.0/16',
    parse: hosts,
  },
  upstreamProxy: {
    key: 'UPSTREAM_PROXY',
    about:
      'HTTP proxy for outgoing requests: streams, previews, webhooks and topology services; none for a direct ' +
      'connection. Default: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.',
    example: 'http://user:password@proxy.internal:3128',
    parse: (text: string) => (text === 'none' ? {} : { http: proxyUrl(text), https: proxyUrl(text) }),
  },
  upstreamNoProxy: {
    key: 'UPSTREAM_NO_PROXY',
    about:
      'Destinations that bypass the proxy: hosts with their subdomains, host:port, IP addresses or CIDR ranges, ' +
      'comma-separated; * for all. Loopback always bypasses it. Default: NO_PROXY.',
    example: '.internal,10.0.0.0/8',
    parse: noProxy,
  },
  egressCheckHosts: {
    key: 'EGRESS_CHECK_HOSTS',
    about:
      "Hosts for the egress check, as host or host:port (default 443), comma-separated: when none answers, Weir's own " +
      'network is down. Default: inferred when streams on at least three hosts fail and none is up.',
    example: 'one.one.one.one,dns.google',
    parse: checkHosts,
  },
  rateLimit: {
    key: 'RATE_LIMIT',
    about:
      'Sustained requests per second for each client (API key or IP address); 0 for unlimited. Without WEIR_TOKEN, ' +
      'applies only when set.',
    fallback: '100',
    parse: integer(0, 1_000_000),
  },
  rateBurst: {
    key: 'RATE_BURST',
    about: 'Burst size for RATE_LIMIT, in requests.',
    fallback: '500',
    parse: integer(1, 1_000_000),
  },
  proxyRatePerHost: {
    key: 'PROXY_RATE_PER_HOST',
    about:
      'Upstream requests per second to one host on behalf of one client (subscriptions and previews); 0 for unlimited. ' +
      'Without WEIR_TOKEN, applies only when set.',
    fallback: '10',
    parse: integer(0, 100_000),
  },
  proxyRate: {
    key: 'PROXY_RATE',
    about:
      'Upstream requests per second to all hosts on behalf of one client; otherwise as PROXY_RATE_PER_HOST.',
    fallback: '100',
    parse: integer(0, 100_000),
  },
  maxSubscribersPerClient: {
    key: 'MAX_SUBSCRIBERS_PER_CLIENT',
    about:
      'Maximum number of open event streams for each client (API key or IP address). Without WEIR_TOKEN, applies only ' +
      'when set.',
    fallback: '1000',
    parse: integer(1, 1_000_000),
  },
  maxSubscribers: {
    key: 'MAX_SUBSCRIBERS',
    about: 'Maximum number of open event streams in one process, for all clients together.',
    fallback: '50000',
    parse: integer(1, 1_000_000),
  },
  trustProxy: {
    key: 'TRUST_PROXY',
    about:
      'Reverse proxies whose X-Forwarded-For is trusted for the client address, as IP addresses or CIDR ranges, ' +
      'comma-separated.',
    example: '127.0.0.1,10.0.0.0/8',
    parse: addresses,
  },
  incidentWaitMs: {
    key: 'INCIDENT_WAIT_MS',
    about:
      'How long notifications of new incidents are held back to group them in one message, in milliseconds.',
    fallback: '10000',
    parse: integer(0, 600_000),
  },
  incidentRemindMs: {
    key: 'INCIDENT_REMIND_MS',
    about: 'Reminder interval for open incidents that nobody has acknowledged, in milliseconds.',
    fallback: '14400000',
    parse: integer(60_000, 604_800_000),
  },
  retentionDays: {
    key: 'RETENTION_DAYS',
    about: 'Log retention, in whole days before today.',
    fallback: '90',
    parse: integer(1, 36_500),
  },
  retentionMaxBytes: {
    key: 'RETENTION_MAX_BYTES',
    about: "Maximum log size on disk, in bytes; the oldest day is dropped first. Rollups aren't counted.",
    example: '107374182400',
    parse: integer(67_108_864, Number.MAX_SAFE_INTEGER),
  },
  retentionMaxEntries: {
    key: 'RETENTION_MAX_ENTRIES',
    about: "Maximum number of log entries, not counting today's; the oldest day is dropped first.",
    example: '100000000',
    parse: integer(1_000, Number.MAX_SAFE_INTEGER),
  },
  minutesDays: {
    key: 'MINUTES_DAYS',
    about:
      'Retention of per-minute rollups, in days. Hourly rollups are kept for 400 days, daily rollups forever.',
    fallback: '30',
    parse: integer(3, 400),
  },
  s3Endpoint: {
    key: 'S3_ENDPOINT',
    about:
      'S3-compatible endpoint for the archive of closed days. Requires S3_BUCKET, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.',
    example: 'https://s3.eu-central-1.amazonaws.com',
    parse: endpoint,
  },
  s3Bucket: {
    key: 'S3_BUCKET',
    about: 'Bucket name. The bucket must exist.',
    example: 'weir',
    parse: bucket,
  },
  s3Region: {
    key: 'S3_REGION',
    about: 'Region for request signing; most services other than AWS accept any.',
    fallback: 'us-east-1',
    parse: asIs,
  },
  s3AccessKeyId: {
    key: 'S3_ACCESS_KEY_ID',
    about: 'Access key ID. The key needs permission to write, read and delete objects.',
    example: 'weir',
    isSecret: true,
    parse: asIs,
  },
  s3SecretAccessKey: {
    key: 'S3_SECRET_ACCESS_KEY',
    about: 'Secret access key.',
    example: 'a-long-random-secret',
    isSecret: true,
    parse: asIs,
  },
  s3Prefix: {
    key: 'S3_PREFIX',
    about: 'Prefix of object keys.',
    fallback: 'weir',
    parse: prefix,
  },
  logFormat: {
    key: 'LOG_FORMAT',
    about: 'Log format: text, or json (one object per line on stdout).',
    fallback: 'text',
    parse: choice('text', 'json'),
  },
  logLevel: {
    key: 'LOG_LEVEL',
    about: 'Log level: debug (includes every request), info, warn or error.',
    fallback: 'info',
    parse: choice('debug', 'info', 'warn', 'error'),
  },
  opsPort: {
    key: 'OPS_PORT',
    about: 'TCP port for /metrics, /healthz and /readyz on a worker, on HOST.',
    example: '9464',
    parse: integer(0, 65_535),
  },
  drainMs: {
    key: 'DRAIN_MS',
    about:
      'How long /readyz reports unready before shutdown begins, in milliseconds, so that load balancers stop sending ' +
      'requests.',
    fallback: '0',
    parse: integer(0, 300_000),
  },
  otelEndpoint: {
    key: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    about: "OpenTelemetry collector for Weir's own traces (OTLP over HTTP).",
    example: 'http://localhost:4318',
    parse: endpoint,
  },
  otelHeaders: {
    key: 'OTEL_EXPORTER_OTLP_HEADERS',
    about: 'Headers for the collector, as comma-separated name=value pairs with percent-encoded values.',
    example: 'authorization=Bearer%20secret',
    isSecret: true,
    parse: headerList,
  },
  otelServiceName: {
    key: 'OTEL_SERVICE_NAME',
    about: 'Service name in traces.',
    fallback: 'weir',
    parse: asIs,
  },
  otelRatio: {
    key: 'OTEL_TRACES_SAMPLER_ARG',
    about: 'Sampling ratio for traces without a parent, from 0 to 1.',
    fallback: '1',
    parse: share,
  },
  otelPropagates: {
    key: 'TRACE_UPSTREAMS',
    about: 'Whether requests to upstream APIs carry a traceparent header: yes or no.',
    fallback: 'no',
    parse: choice('yes', 'no'),
  },
} satisfies { [K in keyof Omit<Config, 'given'>]: Setting<Config[K]> }

/** All set, or none. */
const S3_NEEDED = [SETTINGS.s3Endpoint, SETTINGS.s3Bucket, SETTINGS.s3AccessKeyId, SETTINGS.s3SecretAccessKey]

/**
 * Reads the settings from an environment; empty values count as unset.
 * @throws ConfigError naming every bad key.
 */
export function parseConfig(environment: Environment): Config {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(SETTINGS as Record<string, Setting<unknown>>)) {
    const text = environment[setting.key]?.trim() || setting.fallback
    if (text === undefined) continue
    try {
      values[name] = setting.parse(text)
    } catch (error) {
      problems.push(`${setting.key}: ${(error as Error).message}`)
    }
  }
  const isGiven = ({ key }: { key: string }) => Boolean(environment[key]?.trim())
  const given = new Set(
    Object.values(SETTINGS)
      .filter(isGiven)
      .map(({ key }) => key),
  )
  values.given = given
  for (const [name, value] of commonProxies(environment, given, problems)) {
    values[name] = value
    given.add(SETTINGS[name].key)
  }
  problems.push(...refusals(environment))
  const config = values as unknown as Config
  if (!LOOPBACK_HOSTS.has(config.host) && !isGiven(SETTINGS.token)) {
    problems.push(
      `HOST: ${config.host} is reachable from other machines; set WEIR_TOKEN, or listen on 127.0.0.1`,
    )
  }
  if ((config.role === 'web' || config.role === 'worker') && !isGiven(SETTINGS.databaseUrl)) {
    problems.push(`ROLE: ${config.role} shares its database with other processes; set DATABASE_URL`)
  }
  const missing = S3_NEEDED.filter((setting) => !isGiven(setting))
  if (missing.length < S3_NEEDED.length) {
    for (const { key } of missing)
      problems.push(`${key}: required for the archive, because another S3 setting is set`)
  }
  if (problems.length > 0) throw new ConfigError([...new Set(problems)])
  return Object.freeze(config)
}

/**
 * The proxies that the environment names for all programs, for the settings that aren't set: read here, once, and by
 * nothing else.
 */
function* commonProxies(
  environment: Environment,
  given: ReadonlySet<string>,
  problems: string[],
): Generator<['upstreamProxy', UpstreamProxy] | ['upstreamNoProxy', readonly string[]]> {
  function read<T>(names: readonly string[], parse: (text: string) => T): T | undefined {
    const found = firstGiven(environment, names)
    try {
      return found && parse(found.text)
    } catch (error) {
      problems.push(`${found?.name}: ${(error as Error).message}; or set UPSTREAM_PROXY (none for no proxy)`)
      return undefined
    }
  }
  if (!given.has(SETTINGS.upstreamProxy.key)) {
    const [http, https] = [read(PROXY_VARIABLES.http, proxyUrl), read(PROXY_VARIABLES.https, proxyUrl)]
    if (http ?? https) yield ['upstreamProxy', { ...(http && { http }), ...(https && { https }) }]
  }
  if (given.has(SETTINGS.upstreamNoProxy.key)) return
  const bypass = read(PROXY_VARIABLES.none, noProxy)
  if (bypass !== undefined) yield ['upstreamNoProxy', bypass]
}

/** Variables that would make Bun or `pg` contradict the settings, and that must not be ignored silently. */
function refusals(environment: Environment): string[] {
  const value = (name: string) => environment[name]?.trim() ?? ''
  const problems: string[] = []
  if (value('NODE_TLS_REJECT_UNAUTHORIZED') === '0') {
    problems.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: 0 disables certificate checks; unset it, and set NODE_EXTRA_CA_CERTS to your own CA',
    )
  }
  if (!['', '0', 'false'].includes(value('BUN_CONFIG_VERBOSE_FETCH'))) {
    problems.push(
      'BUN_CONFIG_VERBOSE_FETCH: prints the headers of every request, including secrets; unset it',
    )
  }
  const isPlain = ['', 'disable', 'allow', 'prefer'].includes(value('PGSSLMODE'))
  if (!isPlain && value('DATABASE_URL') !== '' && !/[?&]ssl(mode)?=/.test(value('DATABASE_URL'))) {
    problems.push(`PGSSLMODE: not supported; add sslmode=${value('PGSSLMODE')} to DATABASE_URL`)
  }
  return problems
}

/**
 * Whether Weir is reachable only from this machine. A worker doesn't listen, but one with a token belongs to a web
 * process that other machines may reach. A PUBLIC_URL with another host or a trusted proxy means that something in
 * front of Weir exposes it; with PROXY_ORIGINS, pages of other origins reach it through browsers on this machine.
 */
export function isLocalOnly({ host, role, token, ...config }: LocalOptions): boolean {
  const { publicUrl, trustProxy = [], proxyOrigins = [] } = config
  const isFronted = publicUrl !== undefined && !isLoopback(new URL(publicUrl).hostname)
  const hasOtherPages = proxyOrigins.some((origin) => !isLoopback(new URL(origin).hostname))
  const isReached = isFronted || hasOtherPages || trustProxy.length > 0
  return isLoopback(host) && !isReached && (role !== 'worker' || token === undefined)
}

type LocalOptions = Pick<Config, 'host' | 'role' | 'token' | 'publicUrl'> &
  Partial<Pick<Config, 'trustProxy' | 'proxyOrigins'>>

function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host.replace(/^\[(.*)\]$/, '$1'))
}

/** Every setting in effect, in the order of `.env.example`. */
export function settingsInForce(config: Config): SettingInForce[] {
  const settings = SETTINGS as Record<string, Setting<unknown>>
  return Object.entries(settings).map(([name, { key, about, fallback, example, isSecret = false }]) => {
    const value = config[name as keyof Config]
    const isGiven = config.given.has(key)
    return { key, about, isGiven, isSecret, fallback, example, value: isSecret ? undefined : shown(value) }
  })
}

/** Every secret in the settings, to be redacted wherever it appears. */
export function secretsOf(config: Config): string[] {
  const settings = Object.entries(SETTINGS as Record<string, Setting<unknown>>)
  const values = settings.map(([name, { isSecret }]) => ({ isSecret, value: config[name as keyof Config] }))
  return values.flatMap(({ isSecret, value }) => {
    const texts = (typeof value === 'object' ? Object.values(value as object) : [value ?? '']).map(String)
    if (isSecret) return texts
    const passwords = texts.map((text) => URL.parse(text)?.password ?? '')
    return passwords.flatMap((password) => [password, decodeURIComponent(password)])
  })
}

/** A value as text; URLs without their credentials. */
function shown(value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'object' && !Array.isArray(value)) {
    return [...new Set(Object.values(value as object).map(shown))].join(', ') || 'none'
  }
  const text = Array.isArray(value) ? value.join(',') : String(value)
  if (!URL.canParse(text) || !text.includes('://')) return text
  const url = new URL(text)
  if (!url.username && !url.password && !url.search) return text
  const isSigned = url.username !== '' || url.password !== ''
  return `${url.protocol}//${isSigned ? '…@' : ''}${url.host}${url.pathname}${url.search && '?…'}`
}

/** The text of `.env.example`: every key with its description, unit and default. */
export function exampleEnvironment(): string {
  return Object.values(SETTINGS as Record<string, Setting<unknown>>)
    .map(({ key, about, fallback, example }) => {
      return `# ${about}\n${fallback === undefined ? `# ${key}=${example}` : `${key}=${fallback}`}\n`
    })
    .join('\n')
}

function integer(min: number, max: number) {
  return (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`expected a whole number from ${min} to ${max}, got "${text}"`)
    }
    return value
  }
}

function share(text: string): number {
  const value = Number(text)
  if (/^\d*\.?\d+$/.test(text) && value <= 1) return value
  throw new Error(`expected a number from 0 to 1, got "${text}"`)
}

/** The error leaves out the text, which holds secrets. @see https://www.w3.org/TR/baggage/ */
function headerList(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => /^\s*([!#$%&'*+.^_`|~\w-]+)\s*=\s*(.*?)\s*$/.exec(pair))
  try {
    return Object.fromEntries(pairs.map((match) => [match?.[1] as string, decoded(match?.[2])]))
  } catch {
    throw new Error('expected headers such as authorization=Bearer%20secret')
  }
}

function decoded(value: string | undefined): string {
  const text = decodeURIComponent(value as string)
  if (value === undefined || /[\r\n\0]/.test(text)) throw new Error('not a header value')
  return text
}

function choice<T extends string>(...choices: T[]) {
  return (text: string): T => {
    if (choices.includes(text as T)) return text as T
    throw new Error(`expected ${choices.join(' or ')}, got "${text}"`)
  }
}

function asIs(text: string): string {
  return text
}

function url(...protocols: string[]) {
  return (text: string): string => {
    if (!URL.canParse(text) || !protocols.includes(new URL(text).protocol)) {
      throw new Error(`expected a URL starting with ${protocols.join('// or ')}//`)
    }
    return text
  }
}

/** The scheme defaults to http, as in other tools. The error leaves out the text, which may hold a password. */
function proxyUrl(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`
  const { protocol, hostname, pathname } = URL.parse(full) ?? { protocol: '', hostname: '', pathname: '' }
  if ((protocol === 'http:' || protocol === 'https:') && hostname !== '' && pathname === '/') return full
  throw new Error('expected an HTTP proxy such as http://proxy.internal:3128')
}

/** Some programs separate entries by spaces. An entry that isn't a host matches nothing, and doesn't prevent a start. */
function noProxy(text: string): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '')
}

function origins(text: string): string[] {
  return text.split(',').map((each) => {
    const origin = each.trim()
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
    throw new Error(`expected origins such as https://app.example.com, got "${origin}"`)
  })
}

function endpoint(text: string): string {
  const { username, password, search, hash } = new URL(url('http:', 'https:')(text))
  if (username || password || search || hash) {
    throw new Error(
      'expected a URL without credentials, query or fragment; credentials have their own settings',
    )
  }
  return text.replace(/\/+$/, '')
}

/** S3's naming rules, including the capitals and underscores of older buckets. */
function bucket(text: string): string {
  if (/^[a-z\d][\w.-]{1,254}$/i.test(text)) return text
  throw new Error(`expected a bucket name, got "${text}"`)
}

function prefix(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  const isPath = /^[\w.=-]+(\/[\w.=-]+)*$/.test(path)
  if (isPath && !path.split('/').some((part) => /^\.+$/.test(part))) return path
  throw new Error(`expected letters, digits, . _ = - and single slashes, got "${text}"`)
}

function hosts(text: string): string[] {
  const entries = text.split(',').map((each) => each.trim())
  for (const entry of entries) {
    if (ipaddr.isValidCIDR(entry) || ipaddr.IPv6.isValid(entry)) continue
    const isHost = /^[^\s/?#@\\]+$/.test(entry) && URL.canParse(`http://${entry}`)
    if (!isHost) throw new Error(`expected hosts such as hooks.internal or 10.0.0.0/8, got "${entry}"`)
  }
  return entries
}

function checkHosts(text: string): string[] {
  const list = text.split(',').map((each) => each.trim())
  const bad = list.find((each) => !/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(each))
  if (bad !== undefined) throw new Error(`expected hosts such as dns.google or 10.0.0.1:443, got "${bad}"`)
  return list
}

function addresses(text: string): string[] {
  const list = text.split(',').map((each) => each.trim())
  const bad = list.find((each) => !ipaddr.isValidCIDR(each) && !isAddress(each))
  if (bad !== undefined) throw new Error(`expected addresses such as 127.0.0.1 or 10.0.0.0/8, got "${bad}"`)
  return list
}

/** IPv4 only in its usual form: `10.1` and `017.0.0.1` aren't the addresses they appear to be. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
}

function secret(text: string): string {
  if (text.length < 16) throw new Error('expected at least 16 characters')
  return text
}
