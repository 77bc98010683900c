import { Type } from '@sinclair/typebox'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { UNITS } from '../../reports/figures.ts'
import { FORMULAS, type FormulaName } from '../../reports/formulas.ts'
import { Availability } from './measures.ts'
import { Count, choice, Instant, Ms, named, nullable, Text } from './types.ts'

const Input = Type.Union([Type.Number(), Type.Boolean(), Text, Type.Null()])
const Subject = Type.Object({
  name: Text,
  url: Type.String({ description: 'What could be a key is hidden' }),
  kind: choice(STREAM_KINDS),
  intervalMs: nullable(Count),
  registeredAt: Instant,
})
const { steps } = Availability.properties
const figure = {
  id: Text,
  label: Text,
  value: nullable(Type.Number(), 'Null while unknown'),
  unit: choice(UNITS),
  formula: choice(Object.keys(FORMULAS) as FormulaName[]),
  inputs: Type.Record(Type.String(), Input, { description: 'What it was calculated from' }),
}
const comparison = { at: Instant, compared: Count, changed: Count, comparedMs: Ms, changedMs: Ms }
const head = {
  version: Type.String({ description: 'Version of Weir' }),
  madeAt: Instant,
  from: Instant,
  to: Instant,
  subject: Subject,
  words: Type.Object({ frequency: nullable(Text), savings: nullable(Text) }),
  segmentMs: Count,
  formulas: Type.Record(Type.String(), Text),
}

export const Report = named('Report', {
  ...head,
  figures: Type.Array(Type.Object(figure)),
  comparisons: Type.Array(Type.Object(comparison)),
  segments: steps,
})
/** A line of a report in NDJSON: the report without its lists, then their items. */
export const ReportLine = Type.Union([
  Type.Object({ type: choice(['report']), ...head }),
  Type.Object({ type: choice(['figure']), ...figure }),
  Type.Object({ type: choice(['comparison']), ...comparison }),
  Type.Object({ type: choice(['segment']), ...steps.items.properties }),
])
export const ReportLink = named('ReportLink', { url: Text, from: Instant, to: Instant, expiresAt: Instant })
