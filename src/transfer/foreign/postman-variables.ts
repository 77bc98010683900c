import { MAX_URL_CHARS } from '../../streams/registry/registration.ts'
import type { Budget } from '../bounds.ts'
import { isFields } from '../fields.ts'
import { textOf } from './format.ts'
import type { Address } from './postman-url.ts'

/** Variables in the values of variables; deeper ones are left as they are, and so is a circle. */
const MAX_HOPS = 8
/** Characters that filling in variables may make of one text: values may repeat each other many times. */
const MAX_FILLED_CHARS = 262_144
const PLACEHOLDER = /\{\{([^{}]{1,200})\}\}/g

/** The variables that a request of a collection sees: its own, those of its folders, and the caller's before all. */
export class Variables {
  /** Names without a value that texts have asked for. */
  readonly missing = new Set<string>()
  readonly #outer: Variables | undefined
  readonly #own = new Map<string, string>()
  readonly #given: ReadonlyMap<string, string>
  readonly #budget: Budget

  /** @param budget of the whole file: its texts may be filled in many times */
  constructor(
    outer: Variables | undefined,
    list: unknown,
    { given, budget }: { given: ReadonlyMap<string, string>; budget: Budget },
  ) {
    this.#outer = outer
    this.#given = given
    this.#budget = budget
    for (const each of Array.isArray(list) ? list : []) {
      if (!isFields(each) || each.disabled === true) continue
      this.#own.set(textOf(each.key) || textOf(each.id), textIn(each.value))
    }
  }

  /**
   * A text with the values of its variables; those without one are {@link missing}.
   * @throws Problem `too_large` if the whole file expands too much
   */
  fill(text: string): string {
    let filled = text
    for (let hops = 0; hops < MAX_HOPS && filled.includes('{{'); hops++) {
      filled = filled.replace(PLACEHOLDER, (whole, name: string) => this.valueFor(name.trim()) ?? whole)
      this.#budget.text(filled.length)
      if (filled.length > MAX_FILLED_CHARS) break
    }
    for (const [, name = ''] of filled.slice(0, MAX_FILLED_CHARS).matchAll(PLACEHOLDER))
      this.missing.add(name.trim())
    return filled
  }

  /** The address of a request; its path variables have values of their own. */
  fillUrl({ text, query, variables }: Address, more: readonly (readonly [string, string])[]): string {
    const values = new Map(variables)
    const path = this.fill(text).replace(/(?<=\/):([A-Za-z_][\w-]*)/g, (whole, name: string) => {
      const value = this.#given.get(name) ?? this.fill(values.get(name) ?? '')
      if (value === '') this.missing.add(name)
      return value === '' ? whole : encodeURIComponent(value)
    })
    const pairs = [
      ...query,
      ...more.map(([name, value]) => `${name}=${encodeURIComponent(this.fill(value))}`),
    ]
    const search = pairs.map((pair) => this.fill(pair).replaceAll('#', '%23')).join('&')
    const url = search === '' ? path : `${path}${path.includes('?') ? '&' : '?'}${search}`
    // A URL that is too long is refused as such, and needn't be kept in full.
    return (/^[a-z][a-z\d+.-]*:\/\//i.test(url) ? url : `http://${url}`).slice(0, MAX_URL_CHARS + 1)
  }

  /** The value that a name has here. */
  valueFor(name: string): string | undefined {
    return this.#given.get(name) ?? this.#own.get(name) ?? this.#outer?.valueFor(name)
  }
}

function textIn(value: unknown): string {
  return typeof value === 'boolean' ? String(value) : textOf(value)
}
