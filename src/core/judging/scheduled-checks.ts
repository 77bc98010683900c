/** How many scheduled checks an attempt decides: `[answered, unanswered]`. */
export type CheckCounts = readonly [answered: number, unanswered: number]

/** What an answered attempt, a failed one, and one that isn't scheduled decide, unless its entry says otherwise. */
export const ANSWERED: CheckCounts = [1, 0]
export const UNANSWERED: CheckCounts = [0, 1]
export const UNCHECKED: CheckCounts = [0, 0]

/** Failures that are over sooner, in milliseconds, and within one interval, count one by one. */
const BRIEF_MS = 10_000

/** Beats of a longer wait are sampled, to learn how many of them were silenced. */
const MAX_SAMPLES = 60

export interface ScheduledChecksOptions {
  /** The first beat, in milliseconds since the epoch. */
  anchorMs: number
  intervalMs: number
  /** The last beat that the run before decided. */
  decidedAt: number | undefined
  /** Whether notifications were silenced at an instant: such a check counts neither way. */
  isSilenced(at: number): boolean
}

/** How an attempt ended: `asked` failed, and the API asked to wait. */
export type AttemptEnd = 'answered' | 'failed' | 'asked'

/** A range of beats, by number; the end is exclusive. */
type Beats = readonly [from: number, to: number]
const NO_BEATS: Beats = [0, 0]

interface Attempt {
  /** The beat within whose interval it began. */
  beat: number
  /** Whether that beat was undecided. */
  isFirst: boolean
  /** Beats that passed while the attempt waited to be due. */
  waited: Beats
  sentAt: number
}

/**
 * The scheduled checks of a polled API: each beat of its grid is one. The first attempt within a beat's interval decides it;
 * retries within the same interval don't count again, as an outage would count for more the more often it is retried. Only
 * once an API answers again at once is each of its attempts a sample of its own: what fails every third request has a share
 * of two thirds. What happened between two attempts is known with the second one:
 *
 * - An outage lasts from the first failed attempt to the first answered one, as its incident does: the beats between a failed
 *   attempt and the next one went unanswered, and so did those that passed during a request that failed.
 * - Nobody knows about the others: those during a slow request that was answered, and those at which this process didn't run.
 */
export class ScheduledChecks {
  readonly #options: ScheduledChecksOptions
  /** The first undecided beat. */
  #next: number
  #lastEnd: AttemptEnd = 'answered'
  /** The failures since the last answer: when the first was sent, and how many decided nothing. */
  #streak: { since: number; undecided: number } | undefined
  #attempt: Attempt = { beat: 0, isFirst: false, waited: NO_BEATS, sentAt: 0 }

  constructor(options: ScheduledChecksOptions) {
    const { anchorMs, intervalMs, decidedAt } = options
    this.#options = options
    const isDecided = decidedAt !== undefined && decidedAt <= anchorMs && anchorMs < decidedAt + intervalMs
    this.#next = isDecided ? 1 : 0
  }

  /** The last decided beat, in milliseconds since the epoch; undefined before the first. */
  get decidedAt(): number | undefined {
    const { anchorMs, intervalMs, decidedAt } = this.#options
    return this.#next === 0 ? decidedAt : anchorMs + (this.#next - 1) * intervalMs
  }

  /** An attempt begins that was due at `dueAt`. */
  begin(at: number, dueAt: number): void {
    const beat = this.#beatAt(at)
    const waitedTo = Math.min(this.#beatAt(Math.min(at, dueAt)), beat)
    const waited: Beats = this.#lastEnd === 'answered' ? NO_BEATS : [this.#next, waitedTo]
    this.#attempt = { beat, isFirst: beat >= this.#next, waited, sentAt: at }
  }

  /** Its request is sent: until then, it waited for its host. */
  sent(at: number): void {
    this.#attempt.sentAt = at
  }

  /** What the attempt decides if it is answered now. */
  answered(): CheckCounts {
    const { waited, sentAt } = this.#attempt
    if (this.#isBrief(sentAt)) {
      const isSilenced = this.#options.isSilenced(sentAt)
      return isSilenced ? UNCHECKED : [1, this.#streak?.undecided ?? 0]
    }
    return [this.#first(), this.#counted(waited)]
  }

  /** What the attempt decides if it fails now. */
  failed(at: number): CheckCounts {
    const { beat, waited, sentAt } = this.#attempt
    const during: Beats = [Math.max(this.#next, beat + 1, this.#beatAt(sentAt) + 1), this.#beatAt(at) + 1]
    return [0, this.#first() + this.#counted(waited) + this.#counted(during)]
  }

  /** Whether an attempt that is sent now still belongs to the failures of one interval. */
  #isBrief(sentAt: number): boolean {
    const { intervalMs } = this.#options
    if (this.#streak === undefined || this.#lastEnd === 'asked') return false
    const elapsedMs = sentAt - this.#streak.since
    return elapsedMs >= 0 && elapsedMs < Math.min(BRIEF_MS, intervalMs)
  }

  /** The attempt has ended. */
  end(at: number, end: AttemptEnd): void {
    const { beat, isFirst, sentAt } = this.#attempt
    this.#next = Math.max(this.#next, beat + 1, this.#beatAt(at) + 1)
    this.#lastEnd = end
    if (end === 'answered') this.#streak = undefined
    else if (this.#streak === undefined) this.#streak = { since: sentAt, undecided: isFirst ? 0 : 1 }
    else if (!isFirst) this.#streak.undecided++
  }

  #first(): number {
    const { beat, isFirst } = this.#attempt
    return isFirst ? this.#counted([beat, beat + 1]) : 0
  }

  /** How many of these beats weren't silenced. */
  #counted([from, to]: Beats): number {
    const count = to - from
    if (count <= 0) return 0
    const samples = Math.min(count, MAX_SAMPLES)
    let heard = 0
    for (let index = 0; index < samples; index++) {
      const beat = from + Math.floor((index * count) / samples)
      if (!this.#options.isSilenced(this.#timeOf(beat))) heard++
    }
    return Math.round((heard * count) / samples)
  }

  #timeOf(beat: number): number {
    return this.#options.anchorMs + beat * this.#options.intervalMs
  }

  /** A clock that is set back leaves the beats as they are. */
  #beatAt(at: number): number {
    return Math.max(0, Math.floor((at - this.#options.anchorMs) / this.#options.intervalMs))
  }
}

/** Whether counts differ from what an entry means without them. */
export function differ(counts: CheckCounts, usual: CheckCounts): boolean {
  return counts[0] !== usual[0] || counts[1] !== usual[1]
}
