import { Type } from '@sinclair/typebox'
import { PROBLEMS, type ProblemCode } from '../../errors.ts'
import { RegistrationSchema } from '../../streams/registry/registration.ts'
import { OUTCOMES } from '../../transfer/item.ts'
import { Count, choice, Id, named, nullable, Text } from './types.ts'

const Code = choice(Object.keys(PROBLEMS) as ProblemCode[])
const brokenOff = Type.Optional(
  Type.Object({ code: Code, detail: Text }, { description: 'Why it broke off, in the last line' }),
)

const report = {
  total: Type.Integer({ minimum: 0, description: 'Streams that were asked for' }),
  done: Count,
  changed: Count,
  unchanged: Type.Integer({ minimum: 0, description: 'Those that were as asked for already' }),
  failed: Count,
  failures: Type.Array(Type.Object({ id: Id, problem: Type.Object({ code: Code, detail: Text }) }), {
    description: 'The first 100',
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
    Type.Array(Text, { description: 'Headers that the stream loses, as its URL leads to another origin' }),
  ),
  problem: Type.Optional(Type.Object({ code: Code, detail: Text, field: Type.Optional(Text) })),
})
const totals = Type.Object({
  lines: Count,
  created: Count,
  unchanged: Count,
  updated: Count,
  failed: Count,
})
const dryRun = Type.Boolean({ description: 'Whether it only says what would be done' })
const isCut = Type.Optional(
  Type.Boolean({
    description: 'True where the report has no room for more lines: they are done, and only counted',
  }),
)
export const ImportReport = named('ImportReport', { dryRun, totals, isCut, lines: Type.Array(ImportedLine) })
/** The last line has the totals. */
export const ImportProgress = Type.Union([
  ImportedLine,
  Type.Object({ dryRun, totals, isCut, problem: brokenOff }),
])

export const ExportedStream = named(
  'ExportedStream',
  { ...RegistrationSchema.properties, id: Id },
  'A registration with the id of its stream',
)
