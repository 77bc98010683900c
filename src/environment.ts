/** The environment at start. Read-only; empty values count as unset. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The conventional proxy variables; the first with a value wins.
 * @see https://everything.curl.dev/usingcurl/proxies/env.html
 */
export const PROXY_VARIABLES = {
  http: ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  https: ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
  none: ['no_proxy', 'NO_PROXY'],
} as const

/**
 * What the runtime and packages may still read themselves: paths, user, time zone and language, terminal, and trusted
 * certificates.
 */
const KEPT = new Set([
  ...['PATH', 'HOME', 'USER', 'TMPDIR', 'TZ', 'LANG', 'LANGUAGE', 'NODE_ENV'],
  ...['TERM', 'COLUMNS', 'NO_COLOR', 'FORCE_COLOR'],
  ...['NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
])
/** `BUN_*`, which Bun reads before any program runs, and the other locale variables. */
const KEPT_PREFIX = /^(BUN_|LC_)/

/**
 * Removes everything from an environment except what others may read. Bun's `fetch` reads `HTTP_PROXY`, `pg` reads
 * `PGPASSWORD` and `debug` reads `DEBUG` when they are used; a variable that Weir doesn't know must have no hidden
 * effect.
 */
export function takeEnvironment(live: Record<string, string | undefined> = process.env): Environment {
  const taken = Object.freeze({ ...live })
  for (const name of Object.keys(taken)) {
    if (!KEPT.has(name) && !KEPT_PREFIX.test(name)) delete live[name]
  }
  return taken
}

/** The first of some variables that has a value. */
export function firstGiven(
  environment: Environment,
  names: readonly string[],
): { name: string; text: string } | undefined {
  const name = names.find((each) => environment[each]?.trim())
  return name === undefined ? undefined : { name, text: environment[name]?.trim() as string }
}

/**
 * Restarts this process in place, with the same ID and program, with variables that Bun reads before any program
 * runs. Does nothing if they are set already, or if the system doesn't support it.
 * @param args arguments after the program's name
 */
export function restartWith(variables: Readonly<Record<string, string>>, args: readonly string[]): void {
  if (Object.keys(variables).every((name) => process.env[name] !== undefined)) return
  const environment = { ...variables, ...(process.env as Record<string, string>) }
  process.execve?.(process.execPath, [process.execPath, ...args], environment)
}
