import type { LoggedEntry } from '../../support/weir.ts'
import type { Source } from '../upstream/content.ts'
import type { Answer } from '../upstream/journal.ts'
import { type Gap, gapOf, numberOf } from './log-reading.ts'
import { isNearJump, isWithin, type Span } from './spans.ts'

/** Examples told of one kind of fault in one stream. */
const EXAMPLES = 3
/** Longest time from an answer to the `error` that says it didn't arrive: the timeout of a request, in milliseconds. */
const TIMEOUT_MS = 35_000
/** What was answered so long before the log was read is in it, in milliseconds. */
const WRITTEN_MS = 2_000
/** An answer may be stamped this long after the error that says it didn't arrive, in milliseconds. */
const STAMP_SLACK_MS = 500
/** A run that ends may leave out so many of its last polls without a gap: pauses of up to two intervals aren't told. */
const LEFT_OUT = 2

export interface PollFigures {
  /** Polls that the upstream answered in full, those of them that the log has, and what it has twice. */
  answered: number
  logged: number
  twice: number
  /** Answers that aren't in the log: within gaps, told as errors, and the last ones of a run. */
  inGaps: number
  asErrors: number
  atEnds: number
  undeclared: number
}

export const NO_POLLS: Readonly<PollFigures> = {
  ...{ answered: 0, logged: 0, twice: 0, inGaps: 0, asErrors: 0, atEnds: 0, undeclared: 0 },
}

export interface PollContext {
  answers: readonly Answer[]
  jumps: readonly Span[]
  logsReadAt: number
}

export interface PollCheck {
  faults: string[]
  figures: PollFigures
}

/**
 * Compares the polls in a log with those that the upstream answered. A poll in the log that was never answered is
 * invented; an answer that is neither in the log nor accounted for is lost.
 */
export function checkPolls(source: Source, log: readonly LoggedEntry[], context: PollContext): PollCheck {
  const check: PollCheck = { faults: [], figures: { ...NO_POLLS } }
  const logged = polls(check, source, log, new Map(context.answers.map((answer) => [answer.id, answer])))
  const due = context.logsReadAt - WRITTEN_MS
  const whole = context.answers.filter(({ isWhole, at }) => isWhole && at <= due)
  check.figures.answered = whole.length
  const missing = whole.filter(({ id }) => !logged.has(id))
  check.figures.logged = whole.length - missing.length
  const reasons = new Reasons(log, logged, context)
  for (const answer of missing) {
    const reason = reasons.of(answer)
    check.figures[reason]++
    if (reason === 'undeclared') {
      add(
        check,
        'loss',
        `${source.name}: the poll answered ${clock(answer.at)} with version ${answer.version}`,
      )
    }
  }
  return check
}

/** The entries of polls, by the ID of the answer. */
function polls(
  check: PollCheck,
  { name }: Source,
  log: readonly LoggedEntry[],
  answers: ReadonlyMap<string, Answer>,
): Map<string, LoggedEntry> {
  const logged = new Map<string, LoggedEntry>()
  for (const entry of log) {
    const { kind, seq, response } = entry
    // A keyframe repeats the document of the patch before it, and has no response.
    if (kind === 'error' || kind === 'gap' || response === undefined) continue
    const id = response.headers['request-id'] ?? ''
    const answer = answers.get(id)
    if (answer === undefined) add(check, 'invented', `${name}: nobody answered the poll of seq ${seq}`)
    else if (logged.has(id)) {
      check.figures.twice++
      add(check, 'double', `${name}: seq ${seq} is the poll of seq ${logged.get(id)?.seq}`)
    } else if (!agrees(entry, answer)) {
      add(check, 'altered', `${name}: seq ${seq} isn't the answer with version ${answer.version}`)
    }
    logged.set(id, entry)
  }
  return logged
}

function agrees(entry: LoggedEntry, { status, version }: Answer): boolean {
  const number = numberOf(entry)
  return entry.response?.status === status && (number === undefined || number === version)
}

/** Why an answer isn't in the log. */
class Reasons {
  readonly #context: PollContext
  readonly #gaps: Gap[]
  /** `error` entries, each of which accounts for one answer. */
  readonly #errors: number[]
  /** Epochs by the time of an answer, in order. */
  readonly #runs: { at: number; epoch: number }[]
  readonly #byEnd = new Map<number, number>()

  constructor(log: readonly LoggedEntry[], logged: ReadonlyMap<string, LoggedEntry>, context: PollContext) {
    this.#context = context
    this.#gaps = log.flatMap((entry) => gapOf(entry) ?? [])
    this.#errors = log.filter(({ kind }) => kind === 'error').map(({ at }) => Date.parse(at))
    this.#runs = context.answers.flatMap(({ id, at }) => {
      const entry = logged.get(id)
      return entry === undefined ? [] : [{ at, epoch: entry.epoch }]
    })
  }

  of({ at }: Answer): 'inGaps' | 'asErrors' | 'atEnds' | 'undeclared' {
    const { jumps } = this.#context
    const isInGap = this.#gaps.some(({ from, to }) => isWithin(at, [from, to]) || isNearJump(jumps, [at, at]))
    if (isInGap) return 'inGaps'
    const error = this.#errors.findIndex(
      (errorAt) => at <= errorAt + STAMP_SLACK_MS && errorAt <= at + TIMEOUT_MS,
    )
    if (error >= 0) {
      this.#errors.splice(error, 1)
      return 'asErrors'
    }
    return this.#isAtEnd(at) ? 'atEnds' : 'undeclared'
  }

  /** Whether the run that asked ended right after: its successor wrote the next answer. */
  #isAtEnd(at: number): boolean {
    const before = this.#runs.findLast((run) => run.at <= at)
    const after = this.#runs.find((run) => run.at > at)
    if (before !== undefined && before.epoch === after?.epoch) return false
    const end = before?.epoch ?? 0
    const count = (this.#byEnd.get(end) ?? 0) + 1
    this.#byEnd.set(end, count)
    return count <= LEFT_OUT
  }
}

function add({ faults }: PollCheck, kind: string, text: string): void {
  const known = faults.filter((fault) => fault.startsWith(`poll ${kind}`)).length
  if (known < EXAMPLES) faults.push(`poll ${kind}: ${text}`)
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23)
}
