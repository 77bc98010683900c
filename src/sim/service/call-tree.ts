import { isObject } from './body.ts'

/** Maximum calls of one tree. Calls beyond it are left out, and counted at their parent. */
export const MAX_TREE_CALLS = 500
/** Maximum depth of a call. Deeper calls are left out, and counted at their parent. */
export const MAX_TREE_DEPTH = 32
const MAX_NAME_CHARS = 100
const MAX_ERROR_CHARS = 200

/** An activation with its calls, in the order in which they began. */
export interface CallTree {
  /** Its name, or its address until its name is known. */
  service: string
  /** As the caller saw it. */
  status: number
  /** When it began, relative to the root. */
  startedMs: number
  durationMs: number
  /** 2 or more for a retry. */
  attempt?: number
  /** Why it failed, for people. */
  error?: string
  calls: CallTree[]
  /** Calls of this one that were left out. */
  leftOut?: number
}

/** A call as its caller saw it; `answered` is the body of the response. */
export interface MadeCall extends Omit<CallTree, 'calls' | 'leftOut'> {
  answered?: unknown
}

/** Collects the calls of one activation. */
export class Trace {
  readonly #service: string
  readonly #now: () => number
  readonly #startedAt: number
  readonly #calls: MadeCall[] = []

  constructor(service: string, now: () => number) {
    this.#service = service
    this.#now = now
    this.#startedAt = now()
  }

  /** Milliseconds since the activation began. */
  elapsedMs(): number {
    return Math.max(0, Math.round(this.#now() - this.#startedAt))
  }

  /** Adds a call that begins now; the caller fills in the result. */
  begin(service: string): MadeCall {
    const call = { service, status: 0, startedMs: this.elapsedMs(), durationMs: 0 }
    this.#calls.push(call)
    return call
  }

  finish(status: number, error?: string): CallTree {
    const tree: CallTree = {
      service: this.#service,
      status,
      startedMs: 0,
      durationMs: this.elapsedMs(),
      calls: [],
    }
    if (error !== undefined) tree.error = error
    const room = { calls: MAX_TREE_CALLS }
    for (const { answered, ...made } of this.#calls) {
      graft(tree, room, () => attach({ ...made, calls: [] }, answered, { room, depth: 1 }))
    }
    return tree
  }
}

interface Place {
  room: { calls: number }
  depth: number
}

/** Adds to a call the calls that the called service reports, converted to the caller's clock. */
function attach(call: CallTree, answered: unknown, place: Place): CallTree {
  if (!isObject(answered)) return call
  if (call.error === undefined && typeof answered.error === 'string') {
    call.error = answered.error.slice(0, MAX_ERROR_CHARS)
  }
  readCalls(call, answered, { ...place, shiftMs: call.startedMs })
  return call
}

function readCalls(tree: CallTree, from: Record<string, unknown>, place: Place & { shiftMs: number }): void {
  const { room, depth, shiftMs } = place
  if (isNumber(from.leftOut) && from.leftOut > 0) leaveOut(tree, from.leftOut)
  if (!Array.isArray(from.calls)) return
  if (depth >= MAX_TREE_DEPTH) return void leaveOut(tree, from.calls.length)
  for (const value of from.calls) {
    graft(tree, room, () => readCall(value, { room, depth: depth + 1, shiftMs }))
  }
}

function readCall(value: unknown, place: Place & { shiftMs: number }): CallTree | undefined {
  if (!isObject(value)) return undefined
  const { service, status, startedMs, durationMs, attempt, error } = value
  if (typeof service !== 'string' || !isNumber(status)) return undefined
  if (!isNumber(startedMs) || !isNumber(durationMs)) return undefined
  const tree: CallTree = {
    service: service.slice(0, MAX_NAME_CHARS),
    status,
    startedMs: startedMs + place.shiftMs,
    durationMs,
    calls: [],
  }
  if (isNumber(attempt)) tree.attempt = attempt
  if (typeof error === 'string') tree.error = error.slice(0, MAX_ERROR_CHARS)
  readCalls(tree, value, place)
  return tree
}

/** Adds a call if there is room; anything that isn't a call is left out too. */
function graft(tree: CallTree, room: { calls: number }, read: () => CallTree | undefined): void {
  if (room.calls <= 0) return void leaveOut(tree, 1)
  room.calls--
  const call = read()
  if (call === undefined) leaveOut(tree, 1)
  else tree.calls.push(call)
}

function leaveOut(tree: CallTree, calls: number): void {
  tree.leftOut = (tree.leftOut ?? 0) + calls
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
