import { BASELINES, HEADLINE, median } from '../core/saved.ts'
import type { ScopeSavings } from '../streams/measures/savings.ts'
import type { TagRow } from './tag-report.ts'

export const TAG_UNITS = ['bytes', 'share', 'per hour', 'count'] as const
export type TagUnit = (typeof TAG_UNITS)[number]

/** How the figures of a tag are calculated, by name. */
export const TAG_FORMULAS = {
  sum: 'The sum of `of` over `rows`',
  mean: 'The mean of `of` over the `known` rows in which it isn’t null',
  median: 'The median of `of` over the `known` rows in which it isn’t null',
  lowest: 'The lowest `of` over the `known` rows in which it isn’t null',
  saved: '1 - streamedBytes / polledBytes, both added up over the streams that were polled',
} as const
export type TagFormulaName = keyof typeof TAG_FORMULAS

/** One figure of all streams with a tag. */
export interface TagFigure {
  /** Such as `availability.median`. */
  id: string
  label: string
  /** Null while unknown. */
  value: number | null
  unit: TagUnit
  formula: TagFormulaName
  inputs: Readonly<Record<string, number | string>>
}

/** A number of each row, and its name in the answer. */
type Column = readonly [of: string, (row: TagRow) => number | null]
const RECEIVED: Column = ['receivedBytes', (row) => row.receivedBytes]
const CHANGED: Column = ['changed', (row) => row.changed]
const SIZE: Column = ['meanBytes', (row) => row.meanBytes]
const FREQUENCY: Column = ['frequency.perHour', (row) => row.frequency?.perHour ?? null]
const AVAILABILITY: Column = ['availability', (row) => row.availability]
const SAVING: Column = ['saving', (row) => row.saving]
const CPU_SAVING: Column = ['cpuSaving', (row) => row.cpuSaving]

/** Totals and medians over the rows. */
export function tagFigures(rows: readonly TagRow[], savings: ScopeSavings | undefined): TagFigure[] {
  const figure = (id: string, label: string, unit: TagUnit, formula: Over, column: Column): TagFigure => {
    const known = knownOf(rows, column)
    const inputs = { of: column[0], known: known.length }
    return { id, label, value: OVER[formula](known), unit, formula, inputs }
  }
  return [
    figure('availability.mean', 'Mean of the streams', 'share', 'mean', AVAILABILITY),
    figure('availability.median', 'Median of the streams', 'share', 'median', AVAILABILITY),
    figure('availability.lowest', 'Lowest of the streams', 'share', 'lowest', AVAILABILITY),
    figure('size.received', 'Received in total', 'bytes', 'sum', RECEIVED),
    figure('size.median', 'A response or event, median of the streams', 'bytes', 'median', SIZE),
    figure('change.total', 'Changes in total', 'count', 'sum', CHANGED),
    figure('change.median', 'Changes per hour, median of the streams', 'per hour', 'median', FREQUENCY),
    savedFigure(savings),
    figure('savings.median', `${SAVED}, median of the streams`, 'share', 'median', SAVING),
    figure('cpu.median', `${CPU_SAVED}, median of the measured streams`, 'share', 'median', CPU_SAVING),
  ]
}

const SAVED = `Saved compared with ${BASELINES[HEADLINE]}`
const CPU_SAVED = `A server’s CPU saved compared with ${BASELINES[HEADLINE]}`

function savedFigure(savings: ScopeSavings | undefined): TagFigure {
  const inputs =
    savings === undefined
      ? { polledBytes: 0, streamedBytes: 0 }
      : {
          polledBytes: savings.totals.baselines[HEADLINE],
          streamedBytes: savings.totals.streaming.gzip.bytes,
        }
  const value = savings?.saving ?? null
  return {
    ...{ id: 'savings.total', label: `${SAVED}, in total` },
    ...{ value, unit: 'share', formula: 'saved', inputs },
  }
}

type Over = Exclude<TagFormulaName, 'saved'>

const OVER: Readonly<Record<Over, (known: readonly number[]) => number | null>> = {
  sum: (known) => known.reduce((sum, each) => sum + each, 0),
  mean: (known) => (known.length === 0 ? null : known.reduce((sum, each) => sum + each, 0) / known.length),
  median,
  lowest: (known) => (known.length === 0 ? null : Math.min(...known)),
}

function knownOf(rows: readonly TagRow[], [, read]: Column): number[] {
  return rows.map(read).filter((value) => value !== null)
}
