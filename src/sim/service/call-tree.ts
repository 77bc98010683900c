import { isObject } from './body.ts'

/** Calls of one tree. What is beyond is left out, and counted where it would be. */
export const MAX_TREE_CALLS = 500
/** How deep a call may lie. What is deeper is left out, and counted where it would be. */
export const MAX_TREE_DEPTH = 32
const MAX_NAME_CHARS = 100
const MAX_ERROR_CHARS = 200

/** An activation with the calls that were made for it, in the order in which they began. */
export interface CallTree {
  /** Its name, or its address while its name isn't known. */
  service: string
  /** As its caller saw it. */
  status: number
  /** When it began, from when the root did. */
  startedMs: number
  durationMs: number
  /** 2 and more: a call that was made again. */
  attempt?: number
  /** Why it failed, for people. */
  error?: string
  calls: CallTree[]
  /** Calls of this one that there was no room for. */
  leftOut?: number
}

/** A call as its caller saw it; `answered` is what the other side says of it, as it came in. */
export interface MadeCall extends Omit<CallTree, 'calls' | 'leftOut'> {
  answered?: unknown
}

/** Gathers the calls of one activation. */
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

  /** A call that begins now; its maker fills in how it went. */
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

/** Gives a call what the called service says that it called, moved to the caller's clock. */
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

/** Adds a call while there is room for one; what is no call is left out too. */
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
