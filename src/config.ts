import { resolve } from 'node:path'

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
      'Shared secret every request must carry (Bearer, or as the password of Basic), at least 16 characters.',
    example: 'a-long-random-secret',
    parse: secret,
  },
  streamsPerWorker: {
    key: 'STREAMS_PER_WORKER',
    about: 'Most streams one process holds at a time.',
    fallback: '2000',
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
} satisfies { [K in keyof Config]: Setting<Config[K]> }

/**
 * Reads the settings from an environment; empty values count as left out.
 * @throws ConfigError naming every bad key.
 */
export function parseConfig(environment: Record<string, string | undefined>): Config {
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
  const config = values as unknown as Config
  const isGiven = ({ key }: { key: string }) => Boolean(environment[key]?.trim())
  if (!LOOPBACK_HOSTS.has(config.host) && !isGiven(SETTINGS.token)) {
    problems.push(
      `HOST: ${config.host} can be reached from other machines; set WEIR_TOKEN too, or listen on 127.0.0.1`,
    )
  }
  if ((config.role === 'web' || config.role === 'worker') && !isGiven(SETTINGS.databaseUrl)) {
    problems.push(`ROLE: ${config.role} shares its storage with other processes; set DATABASE_URL too`)
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config)
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

function origins(text: string): string[] {
  return text.split(',').map((each) => {
    const origin = each.trim()
    if (URL.canParse(origin) && new URL(origin).origin === origin) return origin
    throw new Error(`expected origins such as https://app.example.com, got "${origin}"`)
  })
}

function secret(text: string): string {
  if (text.length < 16) throw new Error('expected at least 16 characters')
  return text
}
