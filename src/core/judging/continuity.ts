/**
 * Detects whether an upstream that was asked to resume skipped anything. Sending `Last-Event-ID` proves nothing,
 * because an upstream may ignore it and continue with new events. IDs prove continuity if each one exceeds the last
 * by the same step.
 */

/** How an upstream numbers its events, learned from the IDs on one connection. */
export interface Numbering {
  /** The difference between the last two IDs; omitted if the last one doesn't continue the numbering. */
  idStep?: number
  /** Number of consecutive IDs with that step. */
  consecutiveIds?: number
}

/** What the first new ID after a break proves. */
export type Continuity = 'follows' | 'unknown' | MissingIds

/** IDs that the upstream assigned but didn't send. */
export interface MissingIds {
  firstId: string
  lastId: string
  count: number
}

/**
 * After this many consecutive IDs with one step, the upstream is known to count; a larger step then means missing
 * IDs.
 */
export const COUNTING_IDS = 10
/** A step other than 1 must have been seen this often before it proves that an ID follows. */
const PROVEN_STEPS = 2

/** Whether the upstream is known to count its events. */
export function isCounting({ consecutiveIds = 0 }: Numbering): boolean {
  return consecutiveIds >= COUNTING_IDS
}

/** Whether a later ID can prove that nothing is missing. */
export function isNumbered(id: string | undefined): boolean {
  return id !== undefined && numberIn(id) !== undefined
}

/** The numbering after another ID on the same connection. */
export function countOn({ idStep, consecutiveIds = 0 }: Numbering, lastId: string, id: string): Numbering {
  const step = stepBetween(lastId, id)
  if (step === undefined || step <= 0) return { idStep: undefined, consecutiveIds: 0 }
  return { idStep: step, consecutiveIds: step === (idStep ?? 1) ? consecutiveIds + 1 : 1 }
}

/** What the first new ID after a break proves. */
export function continuityOf(numbering: Numbering, lastId: string, id: string): Continuity {
  const { idStep = 1, consecutiveIds = 0 } = numbering
  const step = stepBetween(lastId, id)
  if (step === undefined) return 'unknown'
  if (step === 1 || (step === idStep && consecutiveIds >= PROVEN_STEPS)) return 'follows'
  if (!isCounting(numbering) || step <= idStep || step % idStep !== 0) return 'unknown'
  return {
    firstId: advanced(lastId, idStep),
    lastId: advanced(lastId, step - idStep),
    count: step / idStep - 1,
  }
}

/** Parses an ID: a constant prefix, which may be empty, and a number that a double can represent exactly. */
const NUMBERED = /^(.*?)(\d{1,15})$/s

function numberIn(id: string): { prefix: string; digits: string } | undefined {
  const [, prefix, digits] = NUMBERED.exec(id) ?? []
  return prefix === undefined || digits === undefined ? undefined : { prefix, digits }
}

function stepBetween(lastId: string, id: string): number | undefined {
  const [last, next] = [numberIn(lastId), numberIn(id)]
  if (last === undefined || next === undefined || last.prefix !== next.prefix) return undefined
  return Number(next.digits) - Number(last.digits)
}

function advanced(id: string, step: number): string {
  const { prefix, digits } = numberIn(id) as { prefix: string; digits: string }
  return prefix + String(Number(digits) + step).padStart(digits.length, '0')
}
