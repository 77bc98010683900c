import { numberData } from '../../../src/sim/service/numbers.ts'
import type { LoggedEntry } from '../../support/weir.ts'
import { bornAt, isHonest, type Source } from '../upstream/content.ts'
import type { Sent } from '../upstream/journal.ts'
import { type Gap, gapOf, numberOf } from './log-reading.ts'
import { isNearJump, isWithin, type Span } from './spans.ts'

/** Examples told of one kind of fault in one stream. */
const EXAMPLES = 3

export interface NumberFigures {
  events: number
  duplicates: number
  gaps: number
  /** Numbers that are not stored, but within a gap that was told. */
  declared: number
  undeclared: number
}

/** What is known of a source beside its log. */
export interface NumberContext {
  /** When the upstream began to count. */
  startedAt: number
  /** The last number that it made. */
  newest: number
  /** What its newest readers were sent: while several are connected, not what the others were. */
  sent: Sent
  /** While clocks of Weir were wrong. */
  jumps: readonly Span[]
}

/** Proves that every number that a source made is stored once, in order, or lies in a gap that was told. */
export class NumberCheck {
  readonly figures: NumberFigures = { events: 0, duplicates: 0, gaps: 0, declared: 0, undeclared: 0 }
  readonly faults: string[] = []
  readonly #source: Source
  readonly #context: NumberContext
  readonly #seen = new Set<number>()
  /** Gaps told since the last number. */
  #gaps: Gap[] = []
  #last: number
  #lastSeq = 0

  constructor(source: Source, context: NumberContext) {
    this.#source = source
    this.#context = context
    this.#last = Math.min(...context.sent.keys()) - 1
  }

  entry(entry: LoggedEntry): void {
    const gap = gapOf(entry)
    if (gap !== undefined) {
      this.figures.gaps++
      this.#gaps.push(gap)
      return
    }
    const number = numberOf(entry)
    if (number === undefined) return
    this.#number(number, entry)
    this.#lastSeq = entry.seq
  }

  /** The log is over: nothing that was made after its last number may be missing. */
  end(): void {
    this.#missing(Math.max(this.#last, ...this.#context.sent.keys()) + 1, this.#lastSeq + 1)
  }

  #number(number: number, entry: LoggedEntry): void {
    const { name } = this.#source
    this.figures.events++
    if (entry.kind === 'event' && entry.data !== numberData(name, number)) {
      this.#fault('altered', `${name}: the data of ${number} (seq ${entry.seq}) is not what was sent`)
    }
    if (number > this.#context.newest) {
      this.#fault('invented', `${name}: ${number} (seq ${entry.seq}) was never made`)
    }
    if (this.#seen.has(number)) {
      // A document that comes whole with every connection may well be the one that is known.
      if (!isHonest(this.#source) && entry.kind === 'snapshot') return
      this.figures.duplicates++
      this.#fault('double', `${name}: ${number} is stored again as seq ${entry.seq} (epoch ${entry.epoch})`)
      return
    }
    if (number < this.#last)
      this.#fault('order', `${name}: ${number} (seq ${entry.seq}) comes after ${this.#last}`)
    else this.#missing(number, entry.seq)
    this.#seen.add(number)
    this.#last = Math.max(this.#last, number)
    this.#gaps = []
  }

  /** Judges the numbers between the last one stored and the next, whether anybody was connected to get them or not. */
  #missing(next: number, seq: number): void {
    const lost: number[] = []
    const during: Span = [this.#times(this.#last).at(-1) as number, this.#times(next)[0] as number]
    for (let number = this.#last + 1; number < next; number++) {
      if (this.#isDeclared(number, during)) this.figures.declared++
      else lost.push(number)
    }
    if (lost.length === 0) return
    this.figures.undeclared += lost.length
    const [first, last] = [lost[0] as number, lost.at(-1) as number]
    const told = this.#gaps.map(({ reason, from, to }) => `${reason} ${clock(from)}–${clock(to)}`).join(', ')
    this.#fault(
      'loss',
      `${this.#source.name}: ${first}–${last} (${lost.length}, ${this.#when(first)}–${this.#when(last)}) missing ` +
        `before seq ${seq}; last stored ${this.#last} as seq ${this.#lastSeq}; gaps told between: ${told || 'none'}`,
    )
  }

  /** Whether the upstream is asked for what is missing, and sends it: it is once an ID of its is stored. */
  #isResumed(): boolean {
    return isHonest(this.#source) && this.#seen.size > 0
  }

  /** @param during from the last one stored to the next */
  #isDeclared(number: number, during: Span): boolean {
    const step = this.#source.class.count.idStep ?? 1
    const times = this.#times(number)
    return this.#gaps.some(({ reason, from, to, ids }) => {
      if (reason === 'buffer_full') return true
      if (this.#isResumed()) return false
      if (ids !== undefined) return ids.first <= number * step && number * step <= ids.last
      // A gap's times are as right as the clocks of the processes; its place in the log is right even then.
      if (isNearJump(this.#context.jumps, during)) return true
      return times.some((at) => isWithin(at, [from, to]))
    })
  }

  /** When a number was sent; one that nobody was connected to get, when it was made. */
  #times(number: number): readonly number[] {
    return this.#context.sent.get(number) ?? [bornAt(this.#source, this.#context.startedAt, number)]
  }

  #when(number: number): string {
    const verb = this.#context.sent.has(number) ? 'sent' : 'made'
    return `${verb} ${clock(this.#times(number)[0] as number)}`
  }

  #fault(kind: string, text: string): void {
    const line = `${kind}: ${text}`
    if (this.faults.filter((known) => known.startsWith(kind)).length < EXAMPLES) this.faults.push(line)
  }
}

function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23)
}
