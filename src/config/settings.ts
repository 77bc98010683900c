import {
  addresses,
  asIs,
  bucket,
  checkHosts,
  directory,
  endpoint,
  headerList,
  hosts,
  keyword,
  noProxy,
  origins,
  prefix,
  secret,
  share,
  upstreamProxy,
  url,
  wholeNumber,
} from './parsers.ts'

/** The declaration of one setting; everything else about it derives from this. */
export type Setting<T = unknown> = {
  /** Environment variable. */
  key: string
  /** One-line description, with the unit; printed into `.env.example`. */
  about: string
  /** Never shown again. */
  isSecret?: true
  /** @throws Error saying what was expected. */
  parse(text: string): T
} & (OnByDefault | OffByDefault)

interface OnByDefault {
  /** The default as text. */
  fallback: string
  example?: undefined
}

interface OffByDefault {
  fallback?: undefined
  example: string
}

/** Every setting, in the order of `.env.example`. Durations in milliseconds, sizes in bytes. */
export const SETTINGS = {
  port: {
    key: 'PORT',
    about: 'TCP port for the console and the API; 0 picks a free port.',
    fallback: '3000',
    parse: wholeNumber(0, 65_535),
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
    parse: directory,
  },
  topology: {
    key: 'TOPOLOGY',
    about:
      'File with services and calls to declare at start: a Mermaid flowchart, or the YAML of a simulated graph.',
    example: 'ops/sample.mmd',
    parse: directory,
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
    parse: keyword('all', 'web', 'worker'),
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
  cookieKey: {
    key: 'COOKIE_KEY',
    about:
      'Encrypts the cookies that streams keep (`cookies: stream`). Default: a key in DATA_DIR; with DATABASE_URL, cookies ' +
      'are not stored without it, and every process needs the same.',
    example: 'a-long-random-secret',
    isSecret: true,
    parse: secret,
  },
  streamsPerWorker: {
    key: 'STREAMS_PER_WORKER',
    about: 'Maximum number of streams that one process runs.',
    fallback: '10000',
    parse: wholeNumber(1, 100_000),
  },
  requestTimeoutMs: {
    key: 'REQUEST_TIMEOUT_MS',
    about: 'Timeout for response headers, and for the whole response to a poll, in milliseconds.',
    fallback: '30000',
    parse: wholeNumber(100, 600_000),
  },
  maxBodyBytes: {
    key: 'MAX_BODY_BYTES',
    about: 'Maximum size of an upstream response body or a single event after decompression, in bytes.',
    fallback: '10485760',
    parse: wholeNumber(1_024, 268_435_456),
  },
  silenceMs: {
    key: 'SILENCE_MS',
    about: 'Time without a byte after which an event stream is stalled, in milliseconds.',
    fallback: '45000',
    parse: wholeNumber(1_000, 86_400_000),
  },
  deadAfterFailures: {
    key: 'DEAD_AFTER_FAILURES',
    about:
      'Failures in a row after which a stream is dead, if DEAD_AFTER_MS has passed too. Streams may set their own.',
    fallback: '3',
    parse: wholeNumber(1, 1_000),
  },
  deadAfterMs: {
    key: 'DEAD_AFTER_MS',
    about:
      'Time since the first failure in a row after which a stream is dead, if it failed DEAD_AFTER_FAILURES times, in ' +
      'milliseconds. Streams may set their own.',
    fallback: '60000',
    parse: wholeNumber(0, 604_800_000),
  },
  degradedShare: {
    key: 'DEGRADED_SHARE',
    about:
      'Share of failed checks (polls and attempts to connect) above which a stream is degraded, from 0 to 1; it ends at half ' +
      'of it.',
    fallback: '0.2',
    parse: share,
  },
  degradedWindowMs: {
    key: 'DEGRADED_WINDOW_MS',
    about: 'Time over which the checks for DEGRADED_SHARE are counted, in milliseconds.',
    fallback: '600000',
    parse: wholeNumber(60_000, 3_600_000),
  },
  degradedChecks: {
    key: 'DEGRADED_CHECKS',
    about: 'Minimum number of checks in that time.',
    fallback: '5',
    parse: wholeNumber(2, 10_000),
  },
  /** Unset: the address it listens on. */
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
    parse: wholeNumber(10_000, 86_400_000),
  },
  /** Unset: none. */
  proxyOrigins: {
    key: 'PROXY_ORIGINS',
    about: 'Other origins whose pages may subscribe to the proxy (CORS), comma-separated.',
    example: 'https://app.example.com',
    parse: origins,
  },
  /** Hosts, `host:port`, IP addresses and CIDR ranges. Unset: none. */
  allowHosts: {
    key: 'ALLOW_HOSTS',
    about:
      'Private destinations that Weir may connect to: hosts, host:port, IP addresses or CIDR ranges, comma-separated. ' +
      'Everything is allowed when Weir listens on loopback and nothing exposes it to other machines: PUBLIC_URL or ' +
      'PROXY_ORIGINS with another host, or TRUST_PROXY.',
    example: 'hooks.internal,10.0.0.5:8080,192.168.0.0/16',
    parse: hosts,
  },
  /** By the scheme of the URL. Unset: no proxy. */
  upstreamProxy: {
    key: 'UPSTREAM_PROXY',
    about:
      'HTTP proxy for outgoing requests: streams, previews, webhooks and topology services; none for a direct ' +
      'connection. Default: HTTP_PROXY, HTTPS_PROXY and ALL_PROXY.',
    example: 'http://user:password@proxy.internal:3128',
    parse: upstreamProxy,
  },
  /** As in `NO_PROXY`. Unset: loopback only. */
  upstreamNoProxy: {
    key: 'UPSTREAM_NO_PROXY',
    about:
      'Destinations that bypass the proxy: hosts with their subdomains, host:port, IP addresses or CIDR ranges, ' +
      'comma-separated; * for all. Loopback always bypasses it. Default: NO_PROXY.',
    example: '.internal,10.0.0.0/8',
    parse: noProxy,
  },
  /** Unset: inferred from the streams themselves. */
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
    parse: wholeNumber(0, 1_000_000),
  },
  rateBurst: {
    key: 'RATE_BURST',
    about: 'Burst size for RATE_LIMIT, in requests.',
    fallback: '500',
    parse: wholeNumber(1, 1_000_000),
  },
  proxyRatePerHost: {
    key: 'PROXY_RATE_PER_HOST',
    about:
      'Upstream requests per second to one host on behalf of one client (subscriptions and previews); 0 for unlimited. ' +
      'Without WEIR_TOKEN, applies only when set.',
    fallback: '10',
    parse: wholeNumber(0, 100_000),
  },
  proxyRate: {
    key: 'PROXY_RATE',
    about:
      'Upstream requests per second to all hosts on behalf of one client; otherwise as PROXY_RATE_PER_HOST.',
    fallback: '100',
    parse: wholeNumber(0, 100_000),
  },
  maxSubscribersPerClient: {
    key: 'MAX_SUBSCRIBERS_PER_CLIENT',
    about:
      'Maximum number of open event streams for each client (API key or IP address). Without WEIR_TOKEN, applies only ' +
      'when set.',
    fallback: '1000',
    parse: wholeNumber(1, 1_000_000),
  },
  maxSubscribers: {
    key: 'MAX_SUBSCRIBERS',
    about: 'Maximum number of open event streams in one process, for all clients together.',
    fallback: '50000',
    parse: wholeNumber(1, 1_000_000),
  },
  /** Unset: `X-Forwarded-For` is ignored. */
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
    parse: wholeNumber(0, 600_000),
  },
  incidentRemindMs: {
    key: 'INCIDENT_REMIND_MS',
    about: 'Reminder interval for open incidents that nobody has acknowledged, in milliseconds.',
    fallback: '14400000',
    parse: wholeNumber(60_000, 604_800_000),
  },
  retentionDays: {
    key: 'RETENTION_DAYS',
    about: 'Log retention, in whole days before today.',
    fallback: '90',
    parse: wholeNumber(1, 36_500),
  },
  /** Unset: unlimited. */
  retentionMaxBytes: {
    key: 'RETENTION_MAX_BYTES',
    about: "Maximum log size on disk, in bytes; the oldest day is dropped first. Rollups aren't counted.",
    example: '107374182400',
    parse: wholeNumber(67_108_864, Number.MAX_SAFE_INTEGER),
  },
  /** Unset: unlimited. */
  retentionMaxEntries: {
    key: 'RETENTION_MAX_ENTRIES',
    about: "Maximum number of log entries, not counting today's; the oldest day is dropped first.",
    example: '100000000',
    parse: wholeNumber(1_000, Number.MAX_SAFE_INTEGER),
  },
  minutesDays: {
    key: 'MINUTES_DAYS',
    about:
      'Retention of per-minute rollups, in days. Hourly rollups are kept for 400 days, daily rollups forever.',
    fallback: '30',
    parse: wholeNumber(3, 400),
  },
  /** Unset, like every other S3 setting without a default: nothing is archived. */
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
    parse: keyword('text', 'json'),
  },
  logLevel: {
    key: 'LOG_LEVEL',
    about: 'Log level: debug (includes every request), info, warn or error.',
    fallback: 'info',
    parse: keyword('debug', 'info', 'warn', 'error'),
  },
  /** Unset: a worker doesn't listen. */
  opsPort: {
    key: 'OPS_PORT',
    about: 'TCP port for /metrics, /healthz and /readyz on a worker, on HOST.',
    example: '9464',
    parse: wholeNumber(0, 65_535),
  },
  drainMs: {
    key: 'DRAIN_MS',
    about:
      'How long /readyz reports unready before shutdown begins, in milliseconds, so that load balancers stop sending ' +
      'requests.',
    fallback: '0',
    parse: wholeNumber(0, 300_000),
  },
  /** Base URL. Unset: tracing is off. */
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
    parse: keyword('yes', 'no'),
  },
} satisfies Record<string, Setting>

type Settings = typeof SETTINGS

/** The settings, parsed once from the environment. */
export type Config = { readonly [Name in keyof Settings]: ValueOf<Settings[Name]> } & {
  /** Environment variables that were set; all others have their default. */
  readonly given: ReadonlySet<string>
}

type ValueOf<S extends Setting> = ReturnType<S['parse']> | (S extends OnByDefault ? never : undefined)

/** The settings, each with its name in `Config`. */
export function settingEntries(): [name: keyof Settings, setting: Setting][] {
  return Object.entries(SETTINGS) as [keyof Settings, Setting][]
}
