import type { Random } from '../random.ts'
import type { SseFaults } from './faults.ts'

/** One encoded message of an event stream. */
export interface StreamFrame {
  bytes: Uint8Array
  /** The number to record it under, if somebody records what was sent. */
  number?: number
}

/** The outcome of one frame. */
export interface Passed {
  /** What is sent, in order; the last one may be cut. */
  frames: StreamFrame[]
  /** Whether the connection ends after it. */
  ends: boolean
}

/** The faults that affect whole frames rather than their timing. */
export type FrameFaultSettings = Pick<SseFaults, 'drop' | 'duplicate' | 'reorder' | 'truncate'>

/**
 * Drops, duplicates, swaps and cuts the frames of one connection. Every frame draws once for each fault, even if the
 * fault is off, so that faults don't influence each other.
 */
export class FrameFaults {
  readonly #random: Random
  /** Sent after the next frame: one frame, or its two copies. */
  #held: StreamFrame[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** A dropped frame is neither duplicated, swapped nor cut; a cut one is neither duplicated nor swapped. */
  pass(
    frame: StreamFrame,
    { drop = 0, duplicate = 0, reorder = 0, truncate = 0 }: FrameFaultSettings = {},
  ): Passed {
    const [isDropped, isDoubled, isSwapped, isCut] = [drop, duplicate, reorder, truncate].map(
      (share) => this.#random() < share,
    )
    const place = this.#random()
    if (isDropped) return { frames: [], ends: false }
    if (isCut) return { frames: [...this.release(), cutFrame(frame, place)], ends: true }
    const copies = isDoubled ? [frame, frame] : [frame]
    if (isSwapped && this.#held.length === 0) {
      this.#held = copies
      return { frames: [], ends: false }
    }
    return { frames: [...copies, ...this.release()], ends: false }
  }

  /** The frames still held for a next one that may never come. */
  release(): StreamFrame[] {
    return this.#held.splice(0)
  }
}

/**
 * The beginning of a frame, always without its final line end, so that a reader can't take it for an event.
 * @param place 0 to 1: from one byte to all but the last two
 */
export function cutFrame(frame: StreamFrame, place: number): StreamFrame {
  const most = Math.max(1, frame.bytes.byteLength - 2)
  return { ...frame, bytes: frame.bytes.subarray(0, 1 + Math.floor(place * (most - 1))) }
}
