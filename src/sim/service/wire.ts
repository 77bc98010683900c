import type { FaultHolder, SseFaults } from '../faults/faults.ts'
import { type Frame, FrameFaults } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'

/** What a reader may leave unread, and what a fault may hold back of it. At the bound no more is taken. */
export const MAX_UNREAD_BYTES = 262_144
/** A slow drip writes about so often, in milliseconds: what it may send meanwhile, but at least a byte. */
const DRIP_EVERY_MS = 100

export interface WireOptions {
  controller: ReadableStreamDefaultController<Uint8Array>
  faults: FaultHolder
  random: Random
  /** Called with the number of a frame right before its first byte goes out. */
  onSent?: ((number: number) => void) | undefined
  /** Called once, when the connection is over. */
  onEnd?: (() => void) | undefined
}

/** One connection on its way out: what is sent reaches the reader as the faults of the moment have it. */
export class Wire {
  readonly #options: WireOptions
  readonly #frames: FrameFaults
  /** What a fault holds back. */
  #held: Frame[] = []
  #heldBytes = 0
  #timer: Timer | undefined
  /** Whether the connection ends behind what is held back. */
  #isLast = false
  #isOver = false

  constructor(options: WireOptions) {
    this.#options = options
    this.#frames = new FrameFaults(options.random)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the reader has left more unread than it may. */
  get isStuck(): boolean {
    return (this.#options.controller.desiredSize ?? 0) <= 0
  }

  /** Whether it takes frames now. What isn't sent waits with whoever has it. */
  get isReady(): boolean {
    return (
      !this.#isOver &&
      !this.#isLast &&
      !this.#faults.stall &&
      !this.isStuck &&
      this.#heldBytes < MAX_UNREAD_BYTES
    )
  }

  /** Sends a frame that the faults may drop, double, swap, cut and hold back. Only when it is ready. */
  send(frame: Frame): void {
    const { frames, ends } = this.#frames.pass(frame, this.#faults)
    this.#isLast = ends
    for (const each of frames) this.#put(each)
    if (ends) this.#endBehindHeld()
  }

  /** Sends what is no event, past the faults that meddle with frames. */
  sendPlain(bytes: Uint8Array): void {
    if (this.isReady) this.#put({ bytes })
  }

  /** Ends in good order behind all that was sent. */
  finish(): void {
    this.#isLast = true
    this.#endBehindHeld()
  }

  /** Ends now, in good order. */
  end(): void {
    this.#over(() => this.#options.controller.close())
  }

  /** Breaks the connection off; what was sent last may be lost. */
  drop(): void {
    // An error with a value is printed by Bun.
    this.#over(() => this.#options.controller.error())
  }

  /** Writes at once, whatever the faults. */
  write(frame: Frame): void {
    const { controller, onSent } = this.#options
    if (this.#isOver) return
    if (frame.number !== undefined) onSent?.(frame.number)
    controller.enqueue(frame.bytes)
  }

  /** Follows a change of the faults: what they no longer hold back goes out. */
  faultsChanged(): void {
    for (const frame of this.#frames.release()) this.#hold(frame)
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#goOn(0)
  }

  get #faults(): SseFaults {
    return this.#options.faults.current.sse ?? {}
  }

  #put(frame: Frame): void {
    const { bufferMs, slowDripBytesPerSecond } = this.#faults
    if (this.#held.length === 0 && bufferMs === undefined && slowDripBytesPerSecond === undefined) {
      this.write(frame)
      return
    }
    this.#hold(frame)
    this.#goOn(bufferMs ?? 0)
  }

  #hold(frame: Frame): void {
    this.#held.push(frame)
    this.#heldBytes += frame.bytes.byteLength
  }

  /** Sees that what is held back goes out, `firstMs` from now if nothing is on its way. */
  #goOn(firstMs: number): void {
    if (this.#held.length === 0 || this.#isOver || this.#timer !== undefined || this.#faults.stall) return
    if (firstMs === 0 && this.#faults.slowDripBytesPerSecond === undefined) this.#release()
    else this.#timer = setTimeout(() => this.#release(), firstMs)
  }

  #release(): void {
    this.#timer = undefined
    const { slowDripBytesPerSecond: perSecond } = this.#faults
    if (perSecond === undefined) this.#releaseAll()
    else this.#drip(perSecond)
    this.#endBehindHeld()
  }

  /** Together means in one piece: else the reader could tell that they were several. */
  #releaseAll(): void {
    const frames = this.#held.splice(0)
    this.#heldBytes = 0
    for (const { number } of frames) if (number !== undefined) this.#options.onSent?.(number)
    this.write({ bytes: new Uint8Array(Buffer.concat(frames.map(({ bytes }) => bytes))) })
  }

  #drip(perSecond: number): void {
    const first = this.#held[0]
    if (first === undefined) return
    const count = Math.max(1, Math.floor((perSecond * DRIP_EVERY_MS) / 1_000))
    const piece = first.bytes.subarray(0, count)
    this.write({ ...first, bytes: piece })
    this.#heldBytes -= piece.byteLength
    if (piece.byteLength === first.bytes.byteLength) this.#held.shift()
    else this.#held[0] = { bytes: first.bytes.subarray(count) }
    this.#goOn((piece.byteLength / perSecond) * 1_000)
  }

  #endBehindHeld(): void {
    if (this.#isLast && this.#held.length === 0) this.end()
  }

  #over(close: () => void): void {
    if (this.#isOver) return
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#held = []
    // A stream that its reader cancelled is closed already.
    try {
      close()
    } catch {}
    this.#options.onEnd?.()
  }
}
