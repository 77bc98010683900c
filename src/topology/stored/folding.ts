import type { Service } from '../../core/graph.ts'

/** The node for all folded services. No program can report it. */
export const REST_ID = 'weir:folded'
/** Time without a report after which a service is idle, in milliseconds: idle ones are folded first. */
const IDLE_MS = 300_000
/**
 * Maximum number of names of folded services remembered, to count them. At the bound the oldest are dropped and stay
 * counted.
 */
const MAX_REMEMBERED = 20_000

/** An item that may be folded. */
export interface Foldable {
  /** Time of the last report, in milliseconds since 1970. */
  activeAt: number
  /** How often it was called or reported again. */
  seen: number
}

/**
 * Selects items to fold, so that `most` are left: the oldest idle ones first, then those reported only once, such as names
 * that a program makes up, before frequently called ones.
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
  /** Time of each one's last report, in the order of folding. */
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

  /** Removes a service that has its own node again. @returns whether it was folded */
  remove(id: string): boolean {
    return this.#names.delete(id)
  }

  /** Forgets services without a report since that time. */
  forget(before: number): void {
    for (const [id, activeAt] of this.#names) if (activeAt < before) this.#names.delete(id)
    if (this.isEmpty) this.#isMore = false
  }

  /** The node that stands for them. */
  service(reportedAt: string): Service {
    const count = this.#names.size.toLocaleString('en-US')
    const name = this.isEmpty ? 'all others' : `${this.#isMore ? 'more than ' : ''}${count} more`
    return { id: REST_ID, name, kind: 'rest', color: 'white', reportedAt }
  }
}
