import { hashDocument, type Json } from '../documents/document.ts'
import { stringifyJson } from '../documents/json.ts'
import { parsePointer, select } from '../documents/pointer.ts'
import { compilePattern, type Pattern } from './pattern.ts'

export const OPERATORS = ['exists', 'absent', 'equals', 'notEquals', 'above', 'below', 'matches'] as const
export type Operator = (typeof OPERATORS)[number]

/** What is asked of a document. */
export interface Condition {
  /** A JSON pointer. */
  pointer: string
  op: Operator
  /** Any JSON for (not) equals, a number for above and below, a pattern for matches. */
  value?: Json
}

/** Prepares a condition. @throws PatternError */
export function compileCondition(condition: Condition): (document: Json) => boolean {
  const pointer = parsePointer(condition.pointer) ?? []
  const pattern = condition.op === 'matches' ? compilePattern(String(condition.value)) : undefined
  return (document) => holds(condition, select(document, pointer) as Json | undefined, pattern)
}

/**
 * Whether it holds of a value. What isn't there equals nothing and is neither above nor below anything; numbers in
 * strings count as numbers.
 */
function holds({ op, value }: Condition, found: Json | undefined, pattern: Pattern | undefined): boolean {
  switch (op) {
    case 'exists':
      return found !== undefined
    case 'absent':
      return found === undefined
    case 'equals':
      return found !== undefined && isSame(found, value)
    case 'notEquals':
      return found === undefined || !isSame(found, value)
    case 'above':
      return numberOf(found) > Number(value)
    case 'below':
      return numberOf(found) < Number(value)
    case 'matches':
      return isPlain(found) && pattern?.test(textOf(found)) === true
  }
}

function isSame(a: Json, b: Json | undefined): boolean {
  return b !== undefined && hashDocument(a) === hashDocument(b)
}

function numberOf(found: Json | undefined): number {
  const text = isPlain(found) ? textOf(found).trim() : ''
  return text === '' ? Number.NaN : Number(text)
}

function isPlain(found: Json | undefined): found is string | number {
  return typeof found === 'string' || typeof found === 'number'
}

/** As people would write it: a number that a double can't hold has all its digits. */
function textOf(found: string | number): string {
  const text = stringifyJson(found)
  return text.startsWith('"') ? JSON.parse(text) : text
}
