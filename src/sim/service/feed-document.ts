import type { FeedSpec } from '../graph/graph.ts'
import type { Random } from '../random.ts'

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

interface Item {
  id: number
  /** How often it has changed. */
  revision: number
  text: string
}

/** What `GET /feed` shows. */
export interface FeedSnapshot {
  service: string
  /** How often the document has changed. */
  version: number
  items: readonly Item[]
}

/** A document of one service that changes by the clock. */
export class FeedDocument {
  readonly #service: string
  readonly #spec: FeedSpec
  readonly #random: Random
  readonly #items: Item[]
  #version = 0

  constructor(service: string, spec: FeedSpec, random: Random) {
    this.#service = service
    this.#spec = spec
    this.#random = random
    this.#items = Array.from({ length: spec.items }, (_, id) => ({ id, revision: 0, text: this.#text() }))
  }

  /** Changes an item, or nothing, as the change rate has it; what `/events` tells of the change. */
  tick(): { version: number; item: Item } | undefined {
    if (this.#random() >= this.#spec.changeRate) return undefined
    const item = this.#items[Math.floor(this.#random() * this.#items.length)]
    if (item === undefined) return undefined
    item.revision++
    item.text = this.#text()
    return { version: ++this.#version, item }
  }

  snapshot(): FeedSnapshot {
    return { service: this.#service, version: this.#version, items: this.#items }
  }

  #text(): string {
    const letters = Array.from({ length: this.#spec.itemBytes }, () =>
      Math.floor(this.#random() * LETTERS.length),
    )
    return letters.map((letter) => LETTERS[letter]).join('')
  }
}
