import type { Subject } from '../topics.ts'
import type { Relay } from './relay.ts'

/** What comes together is told together, in milliseconds: a message to a thousand channels is a thousand deliveries. */
const GATHER_MS = 100

export interface TouchesDeps {
  relay: Relay
  /** This process's open pages. */
  changed(subject: Subject): void
}

/** Tells the open pages of every process what may be different now. */
export class Touches {
  readonly #deps: TouchesDeps
  readonly #subjects = new Set<Subject>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(deps: TouchesDeps) {
    this.#deps = deps
  }

  add(subject: Subject): void {
    if (this.#isClosed) return
    this.#subjects.add(subject)
    this.#timer ??= setTimeout(() => this.#tell(), GATHER_MS)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #tell(): void {
    this.#timer = undefined
    const subjects = [...this.#subjects]
    this.#subjects.clear()
    for (const subject of subjects) this.#deps.changed(subject)
    this.#deps.relay.publish({ type: 'touched', subjects })
  }
}
