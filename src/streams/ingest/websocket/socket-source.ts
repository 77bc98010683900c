import { span } from '../../../core/judging/status.ts'
import type { Hide } from '../../registry/own-secrets.ts'
import type { Handlers, Piece, ReceivedEvent, Source } from '../connection/follow-connection.ts'
import { type Limits, UpstreamError } from '../upstream.ts'
import { closeText, isCleanClose } from './close-codes.ts'
import type { Dialogue, Heard } from './dialogue.ts'
import {
  closePayload,
  encodeFrame,
  FrameReader,
  type Message,
  messageIn,
  OPCODE,
  type Received,
} from './frames.ts'
import type { Opened } from './handshake.ts'
import { LargeMessage } from './large-message.ts'

/** An upstream that doesn't read what it is sent, as far as this, in bytes, gets no more answers to its pings. */
const MAX_UNSENT_BYTES = 65_536
/** How long a close frame may take to be sent, in milliseconds. */
const CLOSE_MS = 1_000
const GOING_AWAY = 1001
const TOO_BIG = 1009
/** What a fault of the upstream is told it by; other faults close as if done. @see https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 */
const CLOSE_CODES: Readonly<Record<string, number>> = { bad_frame: 1002 }
const MAX_REASON_CHARS = 123

/** What some bytes bring. */
interface Found {
  /** Each passes on one message. */
  deliveries: (() => void)[]
  bodyBytes: number
}

/** What an open WebSocket sends. Bytes are counted as received, with the headers of frames; payloads after decompression. */
export class SocketSource implements Source {
  readonly #open: Opened
  readonly #dialogue: Dialogue
  readonly #on: Handlers
  readonly #hide: Hide
  readonly #maxBytes: number
  readonly #frames: FrameReader
  readonly #timers: Timer[] = []
  /** The message that is too large, as far as it has arrived. */
  #large: LargeMessage | undefined
  #fault: UpstreamError | undefined
  #isOver = false
  #isClosing = false
  farewell = 'The upstream closed the WebSocket'

  /**
   * @param pingMs time between two pings; 0: none
   * @param hide hides credentials in what the upstream says when it closes
   */
  constructor(
    open: Opened,
    dialogue: Dialogue,
    on: Handlers,
    limits: Limits,
    { pingMs, hide }: { pingMs: number; hide: Hide },
  ) {
    this.#hide = hide
    this.#open = open
    this.#dialogue = dialogue
    this.#on = on
    this.#maxBytes = limits.maxBodyBytes
    this.#frames = new FrameReader(limits.maxBodyBytes, open.mayCompress)
    for (const message of dialogue.opening) this.#send(OPCODE.text, message)
    if (pingMs > 0) this.#timers.push(setInterval(() => this.#answer(OPCODE.ping, ''), pingMs))
    if (dialogue.isAgreed !== undefined) this.#expectAgreement(limits.requestTimeoutMs)
  }

  async read(): Promise<Piece | undefined> {
    this.#expectNoFault()
    if (this.#isOver) return undefined
    const { value, done } = await this.#open.bytes.next()
    if (done) {
      this.#expectNoFault()
      if (this.#isClosing) return undefined
      throw new Error('The connection ended without a close frame')
    }
    const found: Found = { deliveries: [], bodyBytes: 0 }
    try {
      for (const received of this.#frames.read(value)) {
        await this.#find(received, found)
        if (this.#isOver || this.#fault !== undefined) break
      }
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error
      this.#fail(error)
    }
    return {
      ...{ wireBytes: value.byteLength, bodyBytes: found.bodyBytes },
      deliver: () => {
        for (const deliver of found.deliveries) deliver()
      },
      isWhole: this.#frames.isWhole,
    }
  }

  /** A message that is too large broke off. */
  finish(): void {
    const large = this.#large?.cut()
    this.#large = undefined
    if (large !== undefined) this.#on.onLarge(large)
  }

  close(): void {
    this.#end(GOING_AWAY)
  }

  #expectNoFault(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  async #find(received: Received, found: Found): Promise<void> {
    const message = received.part === undefined ? await messageIn(received, this.#maxBytes) : undefined
    if (message === undefined) {
      await this.#pass(received, found)
      return
    }
    if (message.kind === 'text') found.bodyBytes += message.bytes
    if (message.kind === 'binary') found.bodyBytes += message.data.byteLength
    const event = this.#take(message)
    if (event !== undefined) found.deliveries.push(() => this.#deliver(event))
  }

  /** A message that is too large, or part of it. */
  async #pass(received: Received, found: Found): Promise<void> {
    const large = this.#large ?? new LargeMessage(received, this.#maxBytes)
    this.#large = large
    const before = large.bytes
    await large.add(received)
    const isLast = received.part?.isLast ?? true
    const event = isLast ? large.end() : large.isEndless ? large.cut() : undefined
    found.bodyBytes += large.bytes - before
    if (event === undefined) return
    this.#large = undefined
    found.deliveries.push(() => this.#on.onLarge(event))
    if (event.isOver) return
    // What is left of it isn't waited for.
    this.#isOver = true
    this.#end(TOO_BIG)
  }

  #deliver(event: ReceivedEvent): void {
    if (event.id !== undefined) this.#on.onId?.(event.id)
    this.#on.onEvent(event)
  }

  /** @returns the event that the message is, if any */
  #take(message: Message): ReceivedEvent | undefined {
    if (message.kind === 'ping') this.#answer(OPCODE.pong, message.data)
    if (message.kind === 'close') this.#closed(message)
    if (message.kind !== 'text' && message.kind !== 'binary') return undefined
    const heard: Heard = this.#dialogue.hear(message)
    for (const reply of heard.replies ?? []) this.#answer(OPCODE.text, reply)
    const { fault } = heard
    if (fault !== undefined) this.#fail(new UpstreamError(fault.code, this.#hide(fault.message)))
    else if (heard.isOver) this.#finish('The upstream completed the subscription')
    return heard.event
  }

  #closed({ code, reason }: Extract<Message, { kind: 'close' }>): void {
    const said = reason === '' ? '' : `: ${this.#hide(reason).slice(0, MAX_REASON_CHARS)}`
    const farewell = `The upstream closed the WebSocket with ${closeText(code, this.#dialogue.closeWords)}${said}`
    if (isCleanClose(code)) this.#finish(farewell)
    else this.#fail(new UpstreamError('closed', `${farewell}.`))
  }

  #finish(farewell: string): void {
    this.farewell = farewell
    this.#isOver = true
    this.#end(1000)
  }

  #fail(fault: UpstreamError): void {
    this.#fault = fault
    this.#end(CLOSE_CODES[fault.code] ?? 1000)
  }

  /** The upstream must agree to the opening in time. */
  #expectAgreement(withinMs: number): void {
    const check = () => {
      if (this.#dialogue.isAgreed?.()) return
      const message = `The upstream didn't acknowledge the connection within ${span(withinMs)}.`
      this.#fail(new UpstreamError('timeout', message))
    }
    this.#timers.push(setTimeout(check, withinMs))
  }

  /** Sends what an upstream that doesn't read needn't get. */
  #answer(opcode: number, payload: string | Buffer): void {
    if (this.#open.socket.writableLength <= MAX_UNSENT_BYTES) this.#send(opcode, payload)
  }

  #send(opcode: number, payload: string | Buffer): void {
    const { socket } = this.#open
    if (!this.#isClosing && socket.writable) socket.write(encodeFrame(opcode, payload))
  }

  /** Sends a close frame, and closes the connection without waiting for the upstream's. */
  #end(code: number): void {
    if (this.#isClosing) return
    const { socket } = this.#open
    for (const timer of this.#timers) clearTimeout(timer)
    this.#send(OPCODE.close, closePayload(code))
    this.#isClosing = true
    setTimeout(() => socket.destroy(), CLOSE_MS)
    socket.destroySoon()
  }
}
