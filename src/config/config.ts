import { type Environment, firstGiven, PROXY_VARIABLES } from '../environment.ts'
import { LOOPBACK_HOSTS } from './local-only.ts'
import { noProxy, proxyUrl, type UpstreamProxy } from './parsers.ts'
import { type Config, SETTINGS, settingEntries } from './settings.ts'

/** Every problem with the environment at once, one line per key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'))
  }
}

/**
 * Reads the settings from an environment; empty values count as unset.
 * @throws ConfigError naming every bad key.
 */
export function parseConfig(environment: Environment): Config {
  const problems: string[] = []
  const values: Record<string, unknown> = {}
  for (const [name, setting] of settingEntries()) {
    const text = environment[setting.key]?.trim() || setting.fallback
    if (text === undefined) continue
    try {
      values[name] = setting.parse(text)
    } catch (error) {
      problems.push(`${setting.key}: ${(error as Error).message}`)
    }
  }
  const keys = settingEntries().map(([, { key }]) => key)
  const given = new Set(keys.filter((key) => environment[key]?.trim()))
  const proxies = [...commonProxies(environment, given, problems)]
  const config = { ...values, ...Object.fromEntries(proxies), given } as Config
  problems.push(...refusals(environment), ...contradictions(config))
  if (problems.length > 0) throw new ConfigError([...new Set(problems)])
  for (const [name] of proxies) given.add(SETTINGS[name].key)
  return Object.freeze(config)
}

/** All set, or none. */
const S3_NEEDED = [SETTINGS.s3Endpoint, SETTINGS.s3Bucket, SETTINGS.s3AccessKeyId, SETTINGS.s3SecretAccessKey]

/** Settings that need others. */
function* contradictions({ host, role, given }: Config): Generator<string> {
  if (!LOOPBACK_HOSTS.has(host) && !given.has(SETTINGS.token.key)) {
    yield `HOST: ${host} is reachable from other machines; set WEIR_TOKEN, or listen on 127.0.0.1`
  }
  if ((role === 'web' || role === 'worker') && !given.has(SETTINGS.databaseUrl.key)) {
    yield `ROLE: ${role} shares its database with other processes; set DATABASE_URL`
  }
  const missing = S3_NEEDED.filter(({ key }) => !given.has(key))
  if (missing.length === S3_NEEDED.length) return
  for (const { key } of missing) yield `${key}: required for the archive, because another S3 setting is set`
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
