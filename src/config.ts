import { resolve } from 'node:path'
import ipaddr from 'ipaddr.js'
import { type Environment, firstGiven, PROXY_VARIABLES } from './environment.ts'

/** Everything Weir can be told from outside, parsed once. Durations in milliseconds, sizes in bytes. */
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
  /** Left out: where it listens. */
  readonly publicUrl: string | undefined
  readonly proxyLingerMs: number
  /** Left out: none. */
  readonly proxyOrigins: readonly string[] | undefined
  /** Hosts, `host:port`, addresses and ranges of addresses. Left out: none. */
  readonly allowHosts: readonly string[] | undefined
  /** What requests leave through, by the scheme of their URL. Left out: they go directly. */
  readonly upstreamProxy: UpstreamProxy | undefined
  /** As in `NO_PROXY`. Left out: nothing but loopback. */
  readonly upstreamNoProxy: readonly string[] | undefined
  /** Left out: the streams themselves tell. */
  readonly egressCheckHosts: readonly string[] | undefined
  /** Requests a second of one client; 0: no bound. */
  readonly rateLimit: number
  readonly rateBurst: number
  /** Requests a second that one client makes Weir send to one host, and in all; 0: no bound. */
  readonly proxyRatePerHost: number
  readonly proxyRate: number
  readonly maxSubscribersPerClient: number
  readonly maxSubscribers: number
  /** Addresses and ranges of them. Left out: nobody's word is taken for where a request comes from. */
  readonly trustProxy: readonly string[] | undefined
  readonly incidentWaitMs: number
  readonly incidentRemindMs: number
  readonly retentionDays: number
  /** Left out: no bound. */
  readonly retentionMaxBytes: number | undefined
  readonly retentionMaxEntries: number | undefined
  readonly minutesDays: number
  /** Left out with all others of S3: nothing is archived. */
  readonly s3Endpoint: string | undefined
  readonly s3Bucket: string | undefined
  readonly s3Region: string
  readonly s3AccessKeyId: string | undefined
  readonly s3SecretAccessKey: string | undefined
  readonly s3Prefix: string
  readonly logFormat: 'text' | 'json'
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Left out: a worker listens nowhere. */
  readonly opsPort: number | undefined
  readonly drainMs: number
  /** Base URL. Left out: nothing is traced. */
  readonly otelEndpoint: string | undefined
  readonly otelHeaders: Readonly<Record<string, string>> | undefined
  readonly otelServiceName: string
  /** From 0 to 1. */
  readonly otelRatio: number
  readonly otelPropagates: 'yes' | 'no'
  /** Keys of the environment that were given a value: all others have their default. */
  readonly given: ReadonlySet<string>
}

/** Absolute `http:` or `https:` URLs, which may hold credentials. */
export interface UpstreamProxy {
  readonly http?: string
  readonly https?: string
}

/** A setting as it is in force, for people. */
export interface SettingInForce {
  /** In the environment. */
  key: string
  /** What it means, with its unit, in one line. */
  about: string
  /** As the environment would have it, without credentials; left out when it is off, and for secrets. */
  value: string | undefined
  isGiven: boolean
  isSecret: boolean
  /** What it is when nothing is given; left out when it is off by default. */
  fallback: string | undefined
  /** For settings that are off by default. */
  example: string | undefined
}

/** All that is wrong with the environment, at once, a line per key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'))
  }
}

interface Setting<T> {
  key: string
  /** What it means, with its unit, in one line: printed into `.env.example`. */
  about: string
  /** The default as text; left out when the setting is off by default. */
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
    about: 'TCP port of the console and the API; 0 takes a free one.',
    fallback: '3000',
    parse: integer(0, 65_535),
  },
  host: {
    key: 'HOST',
    about: 'Address to listen on. Any other than loopback needs WEIR_TOKEN.',
    fallback: '127.0.0.1',
    parse: asIs,
  },
  dataDir: {
    key: 'DATA_DIR',
    about: 'Directory of the embedded database; unused with DATABASE_URL.',
    fallback: './data',
    parse: (text: string) => resolve(text),
  },
  databaseUrl: {
    key: 'DATABASE_URL',
    about: 'Postgres to store in, instead of the embedded database.',
    example: 'postgres://user:password@localhost:5432/weir',
    parse: url('postgres:', 'postgresql:'),
  },
  redisUrl: {
    key: 'REDIS_URL',
    about: "Redis for the job queue, instead of the database's own tables.",
    example: 'redis://localhost:6379',
    parse: url('redis:', 'rediss:'),
  },
  role: {
    key: 'ROLE',
    about:
      'What this process does: web (pages and API), worker (holds streams), or all. One alone needs DATABASE_URL.',
    fallback: 'all',
    parse: choice('all', 'web', 'worker'),
  },
  token: {
    key: 'WEIR_TOKEN',
    about:
      'Secret of whoever runs Weir, at least 16 characters: logs in, and makes API keys for all others. With it, every ' +
      'request must carry it or a key.',
    example: 'a-long-random-secret',
    isSecret: true,
    parse: secret,
  },
  streamsPerWorker: {
    key: 'STREAMS_PER_WORKER',
    about: 'Most streams one process holds at a time.',
    fallback: '10000',
    parse: integer(1, 100_000),
  },
  requestTimeoutMs: {
    key: 'REQUEST_TIMEOUT_MS',
    about: 'Longest wait for the headers of a response, and for the whole answer to a poll, in milliseconds.',
    fallback: '30000',
    parse: integer(100, 600_000),
  },
  maxBodyBytes: {
    key: 'MAX_BODY_BYTES',
    about: 'Largest body of an upstream response and largest single event, after decompression, in bytes.',
    fallback: '10485760',
    parse: integer(1_024, 268_435_456),
  },
  silenceMs: {
    key: 'SILENCE_MS',
    about: 'An event stream without a byte for longer than this is stalled, in milliseconds.',
    fallback: '45000',
    parse: integer(1_000, 86_400_000),
  },
  publicUrl: {
    key: 'PUBLIC_URL',
    about: 'Where Weir is reached, by its own workers too. Left out: the address and port it listens on.',
    example: 'https://weir.example.com',
    parse: url('http:', 'https:'),
  },
  proxyLingerMs: {
    key: 'PROXY_LINGER_MS',
    about: 'How long a proxied API is polled on after its last subscriber has left, in milliseconds.',
    fallback: '60000',
    parse: integer(10_000, 86_400_000),
  },
  proxyOrigins: {
    key: 'PROXY_ORIGINS',
    about: 'Other origins whose pages may subscribe to the proxy, separated by commas.',
    example: 'https://app.example.com',
    parse: origins,
  },
  allowHosts: {
    key: 'ALLOW_HOSTS',
    about:
      'What may be reached beside the public Internet: hosts, host:port, addresses or ranges of them, separated by ' +
      'commas. Listening on loopback, with nothing that lets others in (a PUBLIC_URL or PROXY_ORIGINS elsewhere, ' +
      'TRUST_PROXY), Weir reaches everything.',
    example: 'hooks.internal,10.0.0.5:8080,192.168.0.0/16',
    parse: hosts,
  },
  upstreamProxy: {
    key: 'UPSTREAM_PROXY',
    about:
      'HTTP proxy that requests to followed APIs, previews, webhooks and topology services leave through; none for no ' +
      'proxy. Left out: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.',
    example: 'http://user:password@proxy.internal:3128',
    parse: (text: string) => (text === 'none' ? {} : { http: proxyUrl(text), https: proxyUrl(text) }),
  },
  upstreamNoProxy: {
    key: 'UPSTREAM_NO_PROXY',
    about:
      'Hosts with their subdomains, host:port, addresses or ranges that are connected to directly, separated by commas; * ' +
      'for all. Left out: NO_PROXY. Loopback always is.',
    example: '.internal,10.0.0.0/8',
    parse: noProxy,
  },
  egressCheckHosts: {
    key: 'EGRESS_CHECK_HOSTS',
    about:
      "Hosts, host or host:port (443), that Weir tries to connect to before it blames others: when none answers, it's " +
      'its own network. Left out: it is when streams of three hosts or more fail and none is up.',
    example: 'one.one.one.one,dns.google',
    parse: checkHosts,
  },
  rateLimit: {
    key: 'RATE_LIMIT',
    about:
      'Requests a second that one client may go on sending: one API key, or one address. 0 is no bound. Without ' +
      'WEIR_TOKEN there is none unless it is given.',
    fallback: '100',
    parse: integer(0, 1_000_000),
  },
  rateBurst: {
    key: 'RATE_BURST',
    about: 'Requests that one client may send at once after a rest.',
    fallback: '500',
    parse: integer(1, 1_000_000),
  },
  proxyRatePerHost: {
    key: 'PROXY_RATE_PER_HOST',
    about:
      'Requests a second that the subscriptions and previews of one client make Weir send to one host. 0 is no bound. ' +
      'Without WEIR_TOKEN there is none unless it is given.',
    fallback: '10',
    parse: integer(0, 100_000),
  },
  proxyRate: {
    key: 'PROXY_RATE',
    about: 'The same to all hosts together.',
    fallback: '100',
    parse: integer(0, 100_000),
  },
  maxSubscribersPerClient: {
    key: 'MAX_SUBSCRIBERS_PER_CLIENT',
    about:
      'Event streams that one client, an API key or an address, may hold open. Without WEIR_TOKEN there is no bound ' +
      'unless it is given.',
    fallback: '1000',
    parse: integer(1, 1_000_000),
  },
  maxSubscribers: {
    key: 'MAX_SUBSCRIBERS',
    about: 'Event streams that all clients together may hold open at one process.',
    fallback: '50000',
    parse: integer(1, 1_000_000),
  },
  trustProxy: {
    key: 'TRUST_PROXY',
    about:
      'Proxies before Weir, as addresses or ranges separated by commas: their X-Forwarded-For says where a request ' +
      'comes from.',
    example: '127.0.0.1,10.0.0.0/8',
    parse: addresses,
  },
  incidentWaitMs: {
    key: 'INCIDENT_WAIT_MS',
    about: 'How long an incident waits for others, to be told in one message, in milliseconds.',
    fallback: '10000',
    parse: integer(0, 600_000),
  },
  incidentRemindMs: {
    key: 'INCIDENT_REMIND_MS',
    about: 'How often people are reminded of an open incident that nobody acknowledged, in milliseconds.',
    fallback: '14400000',
    parse: integer(60_000, 604_800_000),
  },
  retentionDays: {
    key: 'RETENTION_DAYS',
    about: 'How long the log is kept, in whole days before today.',
    fallback: '90',
    parse: integer(1, 36_500),
  },
  retentionMaxBytes: {
    key: 'RETENTION_MAX_BYTES',
    about: 'Most the log may take on disk, in bytes: beyond it the oldest day goes. Sums are not counted.',
    example: '107374182400',
    parse: integer(67_108_864, Number.MAX_SAFE_INTEGER),
  },
  retentionMaxEntries: {
    key: 'RETENTION_MAX_ENTRIES',
    about: 'Most entries the log may hold, but for those of today: beyond it the oldest day goes.',
    example: '100000000',
    parse: integer(1_000, Number.MAX_SAFE_INTEGER),
  },
  minutesDays: {
    key: 'MINUTES_DAYS',
    about:
      'How long sums per minute are kept, in days; those per hour are for 400 days, those per day for good.',
    fallback: '30',
    parse: integer(3, 400),
  },
  s3Endpoint: {
    key: 'S3_ENDPOINT',
    about: 'S3-compatible service that closed days are archived to. Needs the bucket and both keys, too.',
    example: 'https://s3.eu-central-1.amazonaws.com',
    parse: endpoint,
  },
  s3Bucket: {
    key: 'S3_BUCKET',
    about: 'The bucket; it must exist.',
    example: 'weir',
    parse: bucket,
  },
  s3Region: {
    key: 'S3_REGION',
    about: 'Region to sign for; most services other than AWS take any.',
    fallback: 'us-east-1',
    parse: asIs,
  },
  s3AccessKeyId: {
    key: 'S3_ACCESS_KEY_ID',
    about: 'Whose key it is that may write, read and delete objects there.',
    example: 'weir',
    isSecret: true,
    parse: asIs,
  },
  s3SecretAccessKey: {
    key: 'S3_SECRET_ACCESS_KEY',
    about: 'The secret of that key.',
    example: 'a-long-random-secret',
    isSecret: true,
    parse: asIs,
  },
  s3Prefix: {
    key: 'S3_PREFIX',
    about: 'What the names of all objects begin with.',
    fallback: 'weir',
    parse: prefix,
  },
  logFormat: {
    key: 'LOG_FORMAT',
    about: 'How Weir says what happens: text for people, or json, a line each on the standard output.',
    fallback: 'text',
    parse: choice('text', 'json'),
  },
  logLevel: {
    key: 'LOG_LEVEL',
    about: 'What it says: debug (every request, too), info, warn or error, and what is worse.',
    fallback: 'info',
    parse: choice('debug', 'info', 'warn', 'error'),
  },
  opsPort: {
    key: 'OPS_PORT',
    about: 'TCP port on which a worker, which has no pages, answers /metrics, /healthz and /readyz, on HOST.',
    example: '9464',
    parse: integer(0, 65_535),
  },
  drainMs: {
    key: 'DRAIN_MS',
    about:
      'How long /readyz says that Weir is shutting down before it does, in milliseconds: as long as load balancers ' +
      'take to notice.',
    fallback: '0',
    parse: integer(0, 300_000),
  },
  otelEndpoint: {
    key: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    about: 'Collector that traces of Weir itself are sent to, as OTLP over HTTP.',
    example: 'http://localhost:4318',
    parse: endpoint,
  },
  otelHeaders: {
    key: 'OTEL_EXPORTER_OTLP_HEADERS',
    about: 'Headers for it, as name=value separated by commas, values percent-encoded.',
    example: 'authorization=Bearer%20secret',
    isSecret: true,
    parse: headerList,
  },
  otelServiceName: {
    key: 'OTEL_SERVICE_NAME',
    about: 'What this Weir is called in traces.',
    fallback: 'weir',
    parse: asIs,
  },
  otelRatio: {
    key: 'OTEL_TRACES_SAMPLER_ARG',
    about: 'Share of traces that are kept, from 0 to 1, where no caller has decided.',
    fallback: '1',
    parse: share,
  },
  otelPropagates: {
    key: 'TRACE_UPSTREAMS',
    about:
      'Whether followed APIs are sent the trace that a request to them is part of, as traceparent: yes or no.',
    fallback: 'no',
    parse: choice('yes', 'no'),
  },
} satisfies { [K in keyof Omit<Config, 'given'>]: Setting<Config[K]> }

/** Given all or none. */
const S3_NEEDED = [SETTINGS.s3Endpoint, SETTINGS.s3Bucket, SETTINGS.s3AccessKeyId, SETTINGS.s3SecretAccessKey]

/**
 * Reads the settings from an environment; empty values count as left out.
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
      `HOST: ${config.host} can be reached from other machines; set WEIR_TOKEN too, or listen on 127.0.0.1`,
    )
  }
  if ((config.role === 'web' || config.role === 'worker') && !isGiven(SETTINGS.databaseUrl)) {
    problems.push(`ROLE: ${config.role} shares its storage with other processes; set DATABASE_URL too`)
  }
  const missing = S3_NEEDED.filter((setting) => !isGiven(setting))
  if (missing.length < S3_NEEDED.length) {
    for (const { key } of missing)
      problems.push(`${key}: the archive needs it, as another S3 setting is given`)
  }
  if (problems.length > 0) throw new ConfigError([...new Set(problems)])
  return Object.freeze(config)
}

/**
 * The proxies that the environment names for all programs, for the settings that aren't given: read here, once, and by
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
      problems.push(
        `${found?.name}: ${(error as Error).message}; or set UPSTREAM_PROXY, to none for no proxy`,
      )
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

/** What would have Bun or `pg` do otherwise than the settings say, and can't be left unread, or must not be silently. */
function refusals(environment: Environment): string[] {
  const value = (name: string) => environment[name]?.trim() ?? ''
  const problems: string[] = []
  if (value('NODE_TLS_REJECT_UNAUTHORIZED') === '0') {
    problems.push(
      'NODE_TLS_REJECT_UNAUTHORIZED: 0 would trust any certificate; remove it, and name your own CA in NODE_EXTRA_CA_CERTS',
    )
  }
  if (!['', '0', 'false'].includes(value('BUN_CONFIG_VERBOSE_FETCH'))) {
    problems.push('BUN_CONFIG_VERBOSE_FETCH: prints the headers of every request, secrets too; remove it')
  }
  const isPlain = ['', 'disable', 'allow', 'prefer'].includes(value('PGSSLMODE'))
  if (!isPlain && value('DATABASE_URL') !== '' && !/[?&]ssl(mode)?=/.test(value('DATABASE_URL'))) {
    problems.push(`PGSSLMODE: isn't read; add sslmode=${value('PGSSLMODE')} to DATABASE_URL`)
  }
  return problems
}

/**
 * Whether only who is on this machine can tell Weir where to go. A worker listens nowhere; one that has the token
 * belongs to a web process that others may reach. A PUBLIC_URL elsewhere, and a proxy that is trusted to name clients,
 * say that something in front lets others in; pages of other origins ask through browsers on this machine.
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

/** Every setting as it is in force, in the order of `.env.example`. */
export function settingsInForce(config: Config): SettingInForce[] {
  const settings = SETTINGS as Record<string, Setting<unknown>>
  return Object.entries(settings).map(([name, { key, about, fallback, example, isSecret = false }]) => {
    const value = config[name as keyof Config]
    const isGiven = config.given.has(key)
    return { key, about, isGiven, isSecret, fallback, example, value: isSecret ? undefined : shown(value) }
  })
}

/** Every text in the settings that must be seen nowhere: in no log, whatever it is part of. */
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

/** A value as text; of a URL, without who signs in. */
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

/** The text of `.env.example`: every key with its meaning, unit and default. */
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

/** What is wrong is told without the text: it holds secrets. @see https://www.w3.org/TR/baggage/ */
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
  if (value === undefined || /[\r\n\0]/.test(text)) throw new Error('no value of a header')
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
      throw new Error(`expected a URL that starts with ${protocols.join('// or ')}//`)
    }
    return text
  }
}

/** Without a scheme it's http, as for other tools. What is wrong is told without the text: it may hold a password. */
function proxyUrl(text: string): string {
  const full = text.includes('://') ? text : `http://${text}`
  const { protocol, hostname, pathname } = URL.parse(full) ?? { protocol: '', hostname: '', pathname: '' }
  if ((protocol === 'http:' || protocol === 'https:') && hostname !== '' && pathname === '/') return full
  throw new Error('expected an HTTP proxy such as http://proxy.internal:3128')
}

/** Some programs separate by spaces; what isn't a host names none, and is no reason not to start. */
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
    throw new Error('expected a URL without credentials, query and fragment; keys are settings of their own')
  }
  return text.replace(/\/+$/, '')
}

/** As S3 names them, capitals and underscores of older buckets included. */
function bucket(text: string): string {
  if (/^[a-z\d][\w.-]{1,254}$/i.test(text)) return text
  throw new Error(`expected the name of a bucket, got "${text}"`)
}

function prefix(text: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  const isPath = /^[\w.=-]+(\/[\w.=-]+)*$/.test(path)
  if (isPath && !path.split('/').some((part) => /^\.+$/.test(part))) return path
  throw new Error(`expected letters, digits, and . _ = - between slashes, got "${text}"`)
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

/** Of IPv4 in its usual form alone: `10.1` and `017.0.0.1` are other addresses than they seem. */
function isAddress(text: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
}

function secret(text: string): string {
  if (text.length < 16) throw new Error('expected at least 16 characters')
  return text
}
