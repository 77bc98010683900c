import { Type } from '@sinclair/typebox'
import { BASELINES, HEADLINE } from '../../core/saved.ts'
import { STREAM_KINDS } from '../../core/sets/stream-kinds.ts'
import { UNITS } from '../../reports/figures.ts'
import { FORMULAS, type FormulaName } from '../../reports/formulas.ts'
import { TAG_FORMULAS, TAG_UNITS, type TagFormulaName } from '../../reports/tag-figures.ts'
import { Availability, Change, CpuTrial } from './measures.ts'
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
  cpu: nullable(CpuTrial, 'The last measurement of a server’s CPU; null if there is none'),
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

const tagFigure = {
  ...figure,
  unit: choice(TAG_UNITS),
  formula: choice(Object.keys(TAG_FORMULAS) as TagFormulaName[]),
}
const tagRow = {
  id: Text,
  subject: Subject,
  meanBytes: nullable(Type.Number(), 'Of a response, or of an event; null while unknown'),
  receivedBytes: Count,
  changed: Count,
  compared: Count,
  frequency: Change.properties.frequency,
  availability: nullable(Type.Number(), '0 to 1; null while unknown'),
  cpuSaving: nullable(Type.Number(), 'The same share of a server’s CPU; null if never measured'),
  saving: nullable(Type.Number(), `Share saved compared with ${BASELINES[HEADLINE]}; null without polls`),
}
const tagHead = {
  version: head.version,
  madeAt: Instant,
  from: Instant,
  to: Instant,
  tag: Text,
  streams: Type.Object({
    total: Type.Integer({ minimum: 0, description: 'With the tag, as far as you may see them' }),
    shown: Type.Integer({ minimum: 0, description: 'In this report: the first by name' }),
  }),
  words: Type.Object({ savings: nullable(Text) }),
  formulas: head.formulas,
}

export const TagReport = named('TagReport', {
  ...tagHead,
  figures: Type.Array(Type.Object(tagFigure)),
  rows: Type.Array(Type.Object(tagRow)),
})
/** The same in NDJSON. */
export const TagReportLine = Type.Union([
  Type.Object({ type: choice(['report']), ...tagHead }),
  Type.Object({ type: choice(['figure']), ...tagFigure }),
  Type.Object({ type: choice(['stream']), ...tagRow }),
])
