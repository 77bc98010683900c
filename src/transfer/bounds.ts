import { Problem } from '../errors.ts'

/** Registrations in one import. */
export const MAX_LINES = 100_000
/** Text of one registration in a file, in characters: more than the largest valid one. */
export const MAX_LINE_CHARS = 1_048_576
/** Text of all registrations together, in characters: a document expands to no more than a file may contain. */
export const MAX_IMPORT_CHARS = 33_554_432
/** Values of a document that must be parsed at once, which takes one or two tenths of a second. */
export const MAX_VALUES = 400_000
/** References, parameters, schemas, servers and secrets that are resolved for one document, counted each time. */
export const MAX_OPENAPI_STEPS = 2_000_000
/** Headers of one operation, in characters. */
export const MAX_HEADER_CHARS = 65_536

/** Bounds what the operations of one document may take in total. */
export class Budget {
  #steps = 0
  #chars = 0

  /**
   * Call it for everything that is resolved.
   * @throws Problem `too_large`
   */
  step(count = 1): void {
    this.#steps += count
    if (this.#steps > MAX_OPENAPI_STEPS) {
      const detail = `The document takes more than ${many(MAX_OPENAPI_STEPS)} steps to resolve: its paths share too many parameters, schemas, servers or security requirements. Split it by paths.`
      throw new TooLarge(detail)
    }
  }

  /**
   * Call it with the length of each text that is created.
   * @throws Problem `too_large`
   */
  text(chars: number): void {
    this.#chars += chars
    if (this.#chars > MAX_IMPORT_CHARS) throw tooMuchText()
  }
}

/** A limit of the whole import is exceeded, not only of one line. */
export class TooLarge extends Problem {
  constructor(detail: string) {
    super('too_large', detail)
  }
}

export function tooManyLines(): TooLarge {
  return new TooLarge(`More than ${many(MAX_LINES)} streams. Import them in parts.`)
}

export function tooMuchText(): TooLarge {
  return new TooLarge(
    `The URLs, headers and bodies exceed ${many(MAX_IMPORT_CHARS)} characters in total. Import in parts, or shorten long parameters and headers.`,
  )
}

export function tooManyValues(): TooLarge {
  return new TooLarge(
    `The document has more than ${many(MAX_VALUES)} values. Split it, or send registrations as a JSON array or NDJSON.`,
  )
}

/** For one line, which fails alone. */
export function lineTooLong(): Problem {
  return new Problem('too_large', `A registration has at most ${many(MAX_LINE_CHARS)} characters.`)
}

export function many(count: number): string {
  return count.toLocaleString('en')
}
