// Converts the fault form to the JSON of a simulated service, and back.

export type FaultTree = { [name: string]: FaultTree | number | string | boolean }

/** Presets; each replaces the active faults. Frames are those of the service's event stream. */
export const PRESETS: Readonly<Record<string, FaultTree>> = {
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

/** Shares in the JSON, percentages in the form. */
const PERCENTS: ReadonlySet<string> = new Set([
  'errorRate',
  'sse.duplicate',
  'sse.reorder',
  'sse.drop',
  'sse.truncate',
])
const CODES = 'errorCodes'

/** A field of the form with an invalid value. */
export class BadField extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message)
  }
}

/** The faults in a form's fields, by path, without empty and unchecked ones. @throws BadField */
export function faultsIn(fields: readonly (readonly [path: string, value: string | boolean])[]): FaultTree {
  const faults: FaultTree = {}
  for (const [path, value] of fields) {
    if (value === '' || value === false) continue
    put(faults, path, readValue(path, value))
  }
  return faults
}

/** The value of a form field for some faults; empty if they don't have it. */
export function shownIn(faults: FaultTree, path: string): string | boolean {
  const value = path
    .split('.')
    .reduce<FaultTree[string] | undefined>((at, name) => (isTree(at) ? at[name] : undefined), faults)
  if (value === undefined) return ''
  if (path === CODES && isTree(value)) return codesText(value)
  if (typeof value === 'boolean') return value
  return PERCENTS.has(path) ? String(Number((Number(value) * 100).toFixed(4))) : String(value)
}

/** The active faults, each in a few words. */
export function activeWords(faults: FaultTree): string[] {
  return leaves(faults).map(([path, value]) => {
    const name = LABELS[path] ?? path
    if (value === true) return name
    return `${name} ${shownIn(faults, path) || String(value)}${PERCENTS.has(path) ? '%' : ''}`
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

function leaves(faults: FaultTree, above = ''): [path: string, value: FaultTree[string]][] {
  return Object.entries(faults).flatMap(([name, value]): [string, FaultTree[string]][] => {
    const path = above + name
    return isTree(value) && path !== CODES
      ? leaves(value, `${path}.`)
      : value === false
        ? []
        : [[path, value]]
  })
}

function readValue(path: string, value: string | boolean): FaultTree[string] {
  if (typeof value === 'boolean') return value
  if (path === CODES) return codesIn(value)
  const number = Number(value)
  if (!Number.isFinite(number)) throw new BadField(path, `“${value.slice(0, 40)}” isn't a number.`)
  // Without rounding, 29% would be 0.29000000000000004.
  return PERCENTS.has(path) ? Number((number / 100).toFixed(6)) : number
}

function codesIn(text: string): FaultTree {
  const codes: FaultTree = {}
  for (const one of text.split(',')) {
    const [, code, weight = '1'] = /^\s*(\d{3})\s*(?::\s*(\d+(?:\.\d+)?)\s*)?$/.exec(one) ?? []
    if (code === undefined) throw new BadField(CODES, 'Enter codes with weights, such as 500:3, 503:1.')
    codes[code] = Number(weight)
  }
  return codes
}

function codesText(codes: FaultTree): string {
  return Object.entries(codes)
    .map(([code, weight]) => `${code}:${String(weight)}`)
    .join(', ')
}

function put(faults: FaultTree, path: string, value: FaultTree[string]): void {
  const names = path.split('.')
  const last = names.pop() ?? path
  let at = faults
  for (const name of names) {
    at[name] ??= {}
    at = at[name] as FaultTree
  }
  at[last] = value
}

function isTree(value: unknown): value is FaultTree {
  return typeof value === 'object' && value !== null
}
