import type { Random } from '../random.ts'
import type { SseFaults } from './faults.ts'

/** One encoded message of an event stream. */
export interface Frame {
  bytes: Uint8Array
  /** What it counts as, where someone keeps account of what was sent. */
  number?: number
}

/** What one frame became. */
export interface Passed {
  /** What goes out, in order; the last one may be cut. */
  frames: Frame[]
  /** Whether the connection ends behind it. */
  ends: boolean
}

/** What is done to whole frames, as opposed to their time. */
export type FrameFaultSettings = Pick<SseFaults, 'drop' | 'duplicate' | 'reorder' | 'truncate'>

/**
 * Drops, doubles, swaps and cuts the frames of one connection. Every frame draws once for each fault, whether it is
 * on or not: what one fault hits doesn't depend on the others.
 */
export class FrameFaults {
  readonly #random: Random
  /** What waits to go out behind the next frame: one frame, or its two copies. */
  #held: Frame[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** A frame that is dropped is neither doubled, swapped nor cut; one that is cut is neither doubled nor swapped. */
  pass(
    frame: Frame,
    { drop = 0, duplicate = 0, reorder = 0, truncate = 0 }: FrameFaultSettings = {},
  ): Passed {
    const [isDropped, isDoubled, isSwapped, isCut] = [drop, duplicate, reorder, truncate].map(
      (share) => this.#random() < share,
    )
    const place = this.#random()
    if (isDropped) return { frames: [], ends: false }
    if (isCut) return { frames: [...this.release(), cut(frame, place)], ends: true }
    const copies = isDoubled ? [frame, frame] : [frame]
    if (isSwapped && this.#held.length === 0) {
      this.#held = copies
      return { frames: [], ends: false }
    }
    return { frames: [...copies, ...this.release()], ends: false }
  }

  /** What waits for a next frame that may not come. */
  release(): Frame[] {
    return this.#held.splice(0)
  }
}

/**
 * The beginning of a frame, without its last line end: whatever is left of it, a reader must not take it for an event.
 * @param place 0 to 1, from one byte to all but the last two
 */
export function cut(frame: Frame, place: number): Frame {
  const most = Math.max(1, frame.bytes.byteLength - 2)
  return { ...frame, bytes: frame.bytes.subarray(0, 1 + Math.floor(place * (most - 1))) }
}
