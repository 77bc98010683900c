// What the fault form holds as the JSON that a service of the laboratory takes, and back.

export type Json = { [name: string]: Json | number | string | boolean }

/** Ready faults; each replaces what is active. Frames are those of the service's event stream. */
export const PRESETS: Readonly<Record<string, Json>> = {
  slow: { latencyMs: { p50: 800, p90: 2_000, p99: 5_000 } },
  failing: { errorRate: 0.5, errorCodes: { '500': 3, '503': 1 } },
  'rate-limited': { rateLimit: { perSecond: 1, burst: 2, retryAfterSeconds: 5 } },
  'cut off': { reset: true },
  'silent feed': { sse: { stall: true } },
  'half-open': { sse: { halfOpen: true } },
  duplicates: { sse: { duplicate: 0.3 } },
  'out of order': { sse: { reorder: 0.3 } },
  lossy: { sse: { drop: 0.3 } },
  truncated: { sse: { truncate: 0.05 } },
  buffered: { sse: { bufferMs: 10_000 } },
  'slow drip': { sse: { slowDripBytesPerSecond: 20 } },
  'no stream': { sse: { json: true } },
  'empty (204)': { sse: { status: 204 } },
}

/** A share in the JSON is percents in the form. */
const PERCENTS: ReadonlySet<string> = new Set([
  'errorRate',
  'sse.duplicate',
  'sse.reorder',
  'sse.drop',
  'sse.truncate',
])
const CODES = 'errorCodes'

/** A field of the form whose text can't be read. */
export class BadField extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message)
  }
}

/** The faults in a form's fields, by path; what is empty or unchecked is left out. @throws BadField */
export function faultsIn(fields: readonly (readonly [path: string, value: string | boolean])[]): Json {
  const faults: Json = {}
  for (const [path, value] of fields) {
    if (value === '' || value === false) continue
    put(faults, path, readValue(path, value))
  }
  return faults
}

/** What a field of the form shows for faults; empty where they don't have it. */
export function shownIn(faults: Json, path: string): string | boolean {
  const value = path
    .split('.')
    .reduce<Json[string] | undefined>((at, name) => (isJson(at) ? at[name] : undefined), faults)
  if (value === undefined) return ''
  if (path === CODES && isJson(value)) return codesText(value)
  if (typeof value === 'boolean') return value
  return PERCENTS.has(path) ? String(Number((Number(value) * 100).toFixed(4))) : String(value)
}

/** What is active, each in a few words. */
export function activeWords(faults: Json): string[] {
  return leaves(faults).map(([path, value]) => {
    const name = LABELS[path] ?? path
    if (value === true) return name
    return `${name} ${shownIn(faults, path) || String(value)}${PERCENTS.has(path) ? ' %' : ''}`
  })
}

const LABELS: Record<string, string> = {
  'latencyMs.p50': 'p50 ms',
  'latencyMs.p90': 'p90 ms',
  'latencyMs.p99': 'p99 ms',
  errorRate: 'errors',
  errorCodes: 'codes',
  'rateLimit.perSecond': 'limit/s',
  'rateLimit.burst': 'burst',
  'rateLimit.retryAfterSeconds': 'retry after s',
  payloadBytes: 'payload bytes',
  reset: 'cut off',
  'sse.stall': 'stalls',
  'sse.halfOpen': 'half-open',
  'sse.json': 'JSON instead of a stream',
  'sse.duplicate': 'duplicates',
  'sse.reorder': 'reorders',
  'sse.drop': 'drops',
  'sse.truncate': 'truncates',
  'sse.bufferMs': 'buffers ms',
  'sse.slowDripBytesPerSecond': 'drips bytes/s',
  'sse.status': 'stream status',
  'sse.retryAfterSeconds': 'stream retry after s',
}

function leaves(faults: Json, above = ''): [path: string, value: Json[string]][] {
  return Object.entries(faults).flatMap(([name, value]): [string, Json[string]][] => {
    const path = above + name
    return isJson(value) && path !== CODES
      ? leaves(value, `${path}.`)
      : value === false
        ? []
        : [[path, value]]
  })
}

function readValue(path: string, value: string | boolean): Json[string] {
  if (typeof value === 'boolean') return value
  if (path === CODES) return codesIn(value)
  const number = Number(value)
  if (!Number.isFinite(number)) throw new BadField(path, `“${value.slice(0, 40)}” is no number.`)
  // Without the rounding 29 % would be 0.29000000000000004.
  return PERCENTS.has(path) ? Number((number / 100).toFixed(6)) : number
}

function codesIn(text: string): Json {
  const codes: Json = {}
  for (const one of text.split(',')) {
    const [, code, weight = '1'] = /^\s*(\d{3})\s*(?::\s*(\d+(?:\.\d+)?)\s*)?$/.exec(one) ?? []
    if (code === undefined) throw new BadField(CODES, 'Write codes with their weights: 500:3, 503:1.')
    codes[code] = Number(weight)
  }
  return codes
}

function codesText(codes: Json): string {
  return Object.entries(codes)
    .map(([code, weight]) => `${code}:${String(weight)}`)
    .join(', ')
}

function put(faults: Json, path: string, value: Json[string]): void {
  const names = path.split('.')
  const last = names.pop() ?? path
  let at = faults
  for (const name of names) {
    at[name] ??= {}
    at = at[name] as Json
  }
  at[last] = value
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null
}
