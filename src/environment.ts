/** What this process was started with. Read-only; empty values count as left out. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The proxies that all programs agree to read; the first that has a value counts.
 * @see https://everything.curl.dev/usingcurl/proxies/env.html
 */
export const PROXY_VARIABLES = {
  http: ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'],
  https: ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'],
  none: ['no_proxy', 'NO_PROXY'],
} as const

/**
 * What the runtime and packages may go on reading by themselves: where programs and temporary files are, who runs this,
 * its zone and language, its terminal, and whose certificates are trusted.
 */
const KEPT = new Set([
  ...['PATH', 'HOME', 'USER', 'TMPDIR', 'TZ', 'LANG', 'LANGUAGE', 'NODE_ENV'],
  ...['TERM', 'COLUMNS', 'NO_COLOR', 'FORCE_COLOR'],
  ...['NODE_EXTRA_CA_CERTS', 'NODE_USE_SYSTEM_CA', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
])
/** `BUN_*`, which Bun has read before any program runs, and the rest of the language. */
const KEPT_PREFIX = /^(BUN_|LC_)/

/**
 * Takes everything out of an environment, and leaves in it only what others may read. Bun's `fetch` looks for
 * `HTTP_PROXY`, `pg` for `PGPASSWORD`, `debug` for `DEBUG`, each when it's used: a variable that Weir doesn't know of
 * must change nothing behind its back.
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
 * Restarts this process in place, same id and program, with variables that Bun reads before any program runs. Does nothing where they are
 * set already, or where the system can't.
 * @param args what follows the program's name
 */
export function restartWith(variables: Readonly<Record<string, string>>, args: readonly string[]): void {
  if (Object.keys(variables).every((name) => process.env[name] !== undefined)) return
  const environment = { ...variables, ...(process.env as Record<string, string>) }
  process.execve?.(process.execPath, [process.execPath, ...args], environment)
}
