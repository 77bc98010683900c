import { Type } from '@sinclair/typebox'
import { PROBLEMS, type ProblemCode } from '../../errors.ts'
import { RegistrationSchema } from '../../streams/registry/registration.ts'
import { OUTCOMES } from '../../transfer/item.ts'
import { Count, choice, Id, named, nullable, Text } from './types.ts'

const Code = choice(Object.keys(PROBLEMS) as ProblemCode[])
const brokenOff = Type.Optional(
  Type.Object({ code: Code, detail: Text }, { description: 'Why processing stopped; only in the last line' }),
)

const report = {
  total: Type.Integer({ minimum: 0, description: 'Number of streams requested' }),
  done: Count,
  changed: Count,
  unchanged: Type.Integer({ minimum: 0, description: 'Streams that needed no change' }),
  failed: Count,
  failures: Type.Array(Type.Object({ id: Id, problem: Type.Object({ code: Code, detail: Text }) }), {
    description: 'First 100 failures',
  }),
}
export const BulkReport = named('BulkReport', report)
export const BulkLine = Type.Object({ ...report, problem: brokenOff })

const ImportedLine = named('ImportedLine', {
  line: Count,
  outcome: choice(OUTCOMES),
  id: Type.Optional(Id),
  url: nullable(Text),
  name: Type.Optional(Text),
  droppedHeaders: Type.Optional(
    Type.Array(Text, {
      description: 'Names of headers that were removed because the new URL has a different origin',
    }),
  ),
  problem: Type.Optional(Type.Object({ code: Code, detail: Text, field: Type.Optional(Text) })),
  reason: Type.Optional(Type.String({ description: 'Why the line was skipped' })),
})
const totals = Type.Object({
  lines: Count,
  created: Count,
  unchanged: Count,
  updated: Count,
  skipped: Count,
  failed: Count,
})
const dryRun = Type.Boolean({ description: 'Whether this is a dry run, which changes nothing' })
const isCut = Type.Optional(
  Type.Boolean({
    description:
      'Whether the report is truncated: all lines are processed, but the remaining ones are only counted',
  }),
)
export const ImportReport = named('ImportReport', { dryRun, totals, isCut, lines: Type.Array(ImportedLine) })
/** The last line holds the totals. */
export const ImportProgress = Type.Union([
  ImportedLine,
  Type.Object({ dryRun, totals, isCut, problem: brokenOff }),
])

export const ExportedStream = named(
  'ExportedStream',
  { ...RegistrationSchema.properties, id: Id },
  'A registration with its stream ID',
)
