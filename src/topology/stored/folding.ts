import type { Service } from '../../core/graph.ts'

/** Stands for all services that there was no room for. No program can report it. */
export const REST_ID = 'weir:folded'
/** What wasn't heard of for this long is idle, in milliseconds: it makes room before all that isn't. */
const IDLE_MS = 300_000
/** Names that are remembered of those folded, to tell how many they are. At the bound the first ones are only counted on. */
const MAX_REMEMBERED = 20_000

/** What there may be too much of. */
export interface Foldable {
  /** When it was last heard of, in milliseconds since 1970. */
  activeAt: number
  /** How often it was called, or heard of again. */
  seen: number
}

/**
 * Which ones make room, so that `most` are left: the oldest idle ones first; then what was heard of once only, as the
 * names of a program that makes them up are, before what is called again and again.
 */
export function toFold<Item extends Foldable>(items: readonly Item[], most: number, now: number): Item[] {
  if (items.length <= most) return []
  const worth = ({ activeAt, seen }: Foldable) => (activeAt < now - IDLE_MS ? -1 : Math.min(seen, 2))
  return items
    .toSorted((a, b) => worth(a) - worth(b) || a.activeAt - b.activeAt)
    .slice(0, items.length - most)
}

/** Remembers which services were folded. */
export class Folded {
  /** When each was last heard of; in the order they were folded in. */
  readonly #names = new Map<string, number>()
  #isMore = false

  get isEmpty(): boolean {
    return this.#names.size === 0
  }

  add(id: string, activeAt: number): void {
    this.#names.delete(id)
    this.#names.set(id, activeAt)
    if (this.#names.size <= MAX_REMEMBERED) return
    this.#isMore = true
    for (const first of this.#names.keys()) return void this.#names.delete(first)
  }

  /** It has a node of its own again. @returns whether it was folded */
  remove(id: string): boolean {
    return this.#names.delete(id)
  }

  /** Forgets those last heard of before that time. */
  forget(before: number): void {
    for (const [id, activeAt] of this.#names) if (activeAt < before) this.#names.delete(id)
    if (this.isEmpty) this.#isMore = false
  }

  /** The node that stands for them. */
  service(reportedAt: string): Service {
    const count = this.#names.size.toLocaleString('en-US')
    const name = this.isEmpty ? 'the rest' : `and ${this.#isMore ? 'more than ' : ''}${count} more`
    return { id: REST_ID, name, kind: 'rest', colour: 'white', reportedAt }
  }
}
