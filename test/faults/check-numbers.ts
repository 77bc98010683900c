import { numberData } from '../../src/sim/service/numbers.ts'
import type { LoggedEntry } from '../support/weir.ts'
import type { Source } from './content.ts'
import { type Gap, gapOf, isLossless, numberOf } from './log-reading.ts'
import type { Sent } from './upstream.ts'

/** A number may be stamped this long before Weir, on a loaded machine, reads it or misses it. Milliseconds. */
const STAMP_SLACK_MS = 500
/** Examples told of one kind of fault in one stream. */
const EXAMPLES = 3

/** While a process of Weir was frozen, and a little longer: what it read then had been sent before. */
export type Freeze = readonly [fromMs: number, toMs: number]

export interface NumberFigures {
  events: number
  duplicates: number
  gaps: number
  /** Numbers that are not stored, but within a gap that was told. */
  declared: number
  undeclared: number
}

/** Proves that every number that was sent is stored once, in order, or lies in a gap that was told. */
export class NumberCheck {
  readonly figures: NumberFigures = { events: 0, duplicates: 0, gaps: 0, declared: 0, undeclared: 0 }
  readonly faults: string[] = []
  readonly #source: Source
  readonly #sent: Sent
  readonly #freezes: readonly Freeze[]
  readonly #seen = new Set<number>()
  /** Gaps told since the last number. */
  #gaps: Gap[] = []
  #last: number
  #lastSeq = 0

  constructor(source: Source, sent: Sent, freezes: readonly Freeze[]) {
    this.#source = source
    this.#sent = sent
    this.#freezes = freezes
    this.#last = Math.min(...sent.keys()) - 1
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

  /** The log is over: nothing sent after its last number may be missing. */
  end(): void {
    this.#missing(Math.max(this.#last, ...this.#sent.keys()) + 1, this.#lastSeq + 1)
  }

  #number(number: number, entry: LoggedEntry): void {
    const { name, behaviour } = this.#source
    this.figures.events++
    if (entry.kind === 'event' && entry.data !== numberData(this.#source.name, number)) {
      this.#fault('altered', `${name}: the data of ${number} (seq ${entry.seq}) is not what was sent`)
    }
    if (this.#seen.has(number)) {
      // A document that comes whole with every connection may well be the one that is known.
      if (behaviour === 'patched' && entry.kind === 'snapshot') return
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

  /** Judges the numbers between the last one stored and the next. */
  #missing(next: number, seq: number): void {
    const lost: number[] = []
    for (let number = this.#last + 1; number < next; number++) {
      const times = this.#sent.get(number) ?? []
      if (times.length === 0 && !this.#isResumed()) continue
      if (this.#isDeclared(number, times)) this.figures.declared++
      else lost.push(number)
    }
    if (lost.length === 0) return
    this.figures.undeclared += lost.length
    const times = lost.flatMap((number) => this.#sent.get(number)?.[0] ?? [])
    const told = this.#gaps.map(({ reason, from, to }) => `${reason} ${clock(from)}–${clock(to)}`).join(', ')
    const when = times.length === 0 ? 'never sent' : `sent ${clock(times[0])}–${clock(times.at(-1))}`
    this.#fault(
      'loss',
      `${this.#source.name}: ${lost[0]}–${lost.at(-1)} (${lost.length}, ${when}) missing before seq ${seq}; ` +
        `last stored ${this.#last} as seq ${this.#lastSeq}; gaps told between: ${told || 'none'}`,
    )
  }

  /** Whether the upstream is asked for what is missing: it is once an id of its is stored. */
  #isResumed(): boolean {
    return isLossless(this.#source.behaviour) && this.#seen.size > 0
  }

  #isDeclared(number: number, times: readonly number[]): boolean {
    return this.#gaps.some(({ reason, from, to, numbers }) => {
      if (reason === 'buffer_full') return true
      if (this.#isResumed()) return false
      if (numbers !== undefined) return numbers.first <= number && number <= numbers.last
      return times.some((at) => {
        const seenAt = Math.max(at, ...this.#freezes.filter(([a, b]) => a <= at && at <= b).map(([, b]) => b))
        return seenAt >= from - STAMP_SLACK_MS && at <= to + STAMP_SLACK_MS
      })
    })
  }

  #fault(kind: string, text: string): void {
    const line = `${kind}: ${text}`
    if (this.faults.filter((known) => known.startsWith(kind)).length < EXAMPLES) this.faults.push(line)
  }
}

function clock(ms: number | undefined): string {
  return ms === undefined ? '?' : new Date(ms).toISOString().slice(11, 23)
}
