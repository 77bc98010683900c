import type { FaultHolder, SseFaults } from '../faults/faults.ts'
import { FrameFaults, type StreamFrame } from '../faults/sse-faults.ts'
import type { Random } from '../random.ts'

/**
 * Limit on the bytes that a reader leaves unread, and that a fault holds back for it. At the bound nothing more is
 * accepted.
 */
export const MAX_UNREAD_BYTES = 262_144
/** How often a slow drip writes, in milliseconds: its quota for that time, but at least a byte. */
const DRIP_EVERY_MS = 100

export interface WireOptions {
  controller: ReadableStreamDefaultController<Uint8Array>
  faults: FaultHolder
  random: Random
  /** Called with the number of a frame right before its first byte is sent. */
  onSent?: ((number: number) => void) | undefined
  /** Called once, when the connection has ended. */
  onEnd?: (() => void) | undefined
}

/** One connection to a reader, on which the current faults apply. */
export class FaultyWire {
  readonly #options: WireOptions
  readonly #frames: FrameFaults
  /** Held back by a fault. */
  #held: StreamFrame[] = []
  #heldBytes = 0
  #timer: Timer | undefined
  /** Whether the connection ends after what is held back. */
  #isLast = false
  #isOver = false

  constructor(options: WireOptions) {
    this.#options = options
    this.#frames = new FrameFaults(options.random)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the reader has left too much unread. */
  get isStuck(): boolean {
    return (this.#options.controller.desiredSize ?? 0) <= 0
  }

  /** Whether it accepts frames now. The caller keeps what isn't sent. */
  get isReady(): boolean {
    return (
      !this.#isOver &&
      !this.#isLast &&
      !this.#faults.stall &&
      !this.isStuck &&
      this.#heldBytes < MAX_UNREAD_BYTES
    )
  }

  /** Sends a frame, which faults may drop, duplicate, swap, cut and hold back. Only when ready. */
  send(frame: StreamFrame): void {
    const { frames, ends } = this.#frames.pass(frame, this.#faults)
    this.#isLast = ends
    for (const each of frames) this.#put(each)
    if (ends) this.#endBehindHeld()
  }

  /** Sends bytes that aren't an event, which frame faults don't affect. */
  sendPlain(bytes: Uint8Array): void {
    if (this.isReady) this.#put({ bytes })
  }

  /** Ends normally after everything that was sent. */
  finish(): void {
    this.#isLast = true
    this.#endBehindHeld()
  }

  /** Ends normally at once. */
  end(): void {
    this.#over(() => this.#options.controller.close())
  }

  /** Resets the connection; what was sent last may be lost. */
  drop(): void {
    // Bun prints an error that has a value.
    this.#over(() => this.#options.controller.error())
  }

  /** Writes at once, whatever the faults. */
  write(frame: StreamFrame): void {
    const { controller, onSent } = this.#options
    if (this.#isOver) return
    if (frame.number !== undefined) onSent?.(frame.number)
    controller.enqueue(frame.bytes)
  }

  /** Applies a change of the faults: what they no longer hold back is sent. */
  faultsChanged(): void {
    for (const frame of this.#frames.release()) this.#hold(frame)
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#goOn(0)
  }

  get #faults(): SseFaults {
    return this.#options.faults.current.sse ?? {}
  }

  #put(frame: StreamFrame): void {
    const { bufferMs, slowDripBytesPerSecond } = this.#faults
    if (this.#held.length === 0 && bufferMs === undefined && slowDripBytesPerSecond === undefined) {
      this.write(frame)
      return
    }
    this.#hold(frame)
    this.#goOn(bufferMs ?? 0)
  }

  #hold(frame: StreamFrame): void {
    this.#held.push(frame)
    this.#heldBytes += frame.bytes.byteLength
  }

  /** Schedules the release of what is held back, `firstMs` from now unless one is scheduled. */
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

  /** In one piece, so that the reader can't tell that there were several. */
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
