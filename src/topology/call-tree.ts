/** Maximum number of calls kept of one tree, and their greatest depth; calls beyond either are only counted. */
const MAX_CALLS = 200
const MAX_DEPTH = 16
const MAX_NAME_CHARS = 64
const MAX_ERROR_CHARS = 200

/** One call that a service reports in its answer, with the calls below it. */
export interface CallTree {
  service: string
  status: number
  durationMs: number
  /** Time since the start of the request; omitted if the service doesn't report it. */
  startedMs?: number
  /** 2 and more for a repeated call. */
  attempt?: number
  error?: string
  calls: CallTree[]
  /** How many calls below this one were left out. */
  leftOut: number
}

/** The call tree in an answer: its `tree`, or the answer itself; undefined if it has none. */
export function callTreeIn(body: unknown): CallTree | undefined {
  const room = { calls: MAX_CALLS }
  return read(body, room, 0) ?? (isObject(body) ? read(body.tree, room, 0) : undefined)
}

function read(value: unknown, room: { calls: number }, depth: number): CallTree | undefined {
  if (!isObject(value)) return undefined
  const { service, status, durationMs, startedMs, attempt, error, calls, leftOut } = value
  if (typeof service !== 'string' || !isAmount(status) || !isAmount(durationMs)) return undefined
  room.calls--
  const tree: CallTree = {
    service: service.slice(0, MAX_NAME_CHARS),
    status,
    durationMs,
    calls: [],
    leftOut: isAmount(leftOut) ? leftOut : 0,
  }
  if (isAmount(startedMs)) tree.startedMs = startedMs
  if (isAmount(attempt)) tree.attempt = attempt
  if (typeof error === 'string') tree.error = error.slice(0, MAX_ERROR_CHARS)
  for (const call of Array.isArray(calls) ? calls : []) {
    const below = room.calls > 0 && depth < MAX_DEPTH ? read(call, room, depth + 1) : undefined
    if (below === undefined) tree.leftOut++
    else tree.calls.push(below)
  }
  return tree
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
