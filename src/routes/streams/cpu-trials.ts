import { Type } from '@sinclair/typebox'
import { Elysia } from 'elysia'
import type { CpuTrial } from '../../core/cpu/trial.ts'
import { checked } from '../../schema.ts'
import type { Database } from '../../storage/storage.ts'
import { addCpuTrial, CPU_TRIALS_KEPT, readCpuTrials } from '../../streams/measures/cpu-trials.ts'
import type { Streams } from '../../streams/registry/streams.ts'
import { json } from '../answers/answer.ts'
import { CpuTrial as Answer } from '../answers/measures.ts'
import { listOf } from '../answers/types.ts'
import { body } from '../http/body.ts'
import { describe } from '../http/describe.ts'
import { dateOf } from '../http/input.ts'

const MAX_TRIAL_BYTES = 8_192
/** As `weir bench` accepts them. */
const MAX_SUBSCRIBERS = 1_000_000_000
const MAX_SECONDS = 60

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const Time = Type.String({ format: 'date-time', maxLength: 40 })
const Cost = closed({
  cpuMs: Type.Number({ exclusiveMinimum: 0, description: 'The mean of the phases' }),
  leastMs: Type.Number({ exclusiveMinimum: 0 }),
  mostMs: Type.Number({ exclusiveMinimum: 0 }),
})
const TrialSchema = closed({
  subscribers: Type.Integer({ minimum: 1, maximum: MAX_SUBSCRIBERS }),
  seconds: Type.Integer({ minimum: 1, maximum: MAX_SECONDS }),
  recorded: closed({ from: Time, to: Time, polls: Count, changes: Count }),
  clients: closed({ polling: Count, streaming: Count }),
  polling: closed({ plain: Cost, gzip: Cost, conditional: Cost }),
  streaming: Cost,
})

/** What `weir bench` measured for a stream: stored for its report. */
export function cpuRoutes({ db, streams, now }: { db: Database; streams: Streams; now(): number }) {
  return new Elysia({ detail: { tags: ['Measures'] } })
    .get(
      '/api/streams/:id/cpu',
      async ({ params }) => {
        const { id } = await streams.get(params.id)
        return { items: await readCpuTrials(db, id) }
      },
      { response: json(listOf(Answer)), detail: describe('CPU measurements of a stream', CPU) },
    )
    .post(
      '/api/streams/:id/cpu',
      async ({ params, body }) => {
        const { id } = await streams.get(params.id)
        const trial = await addCpuTrial(db, id, body, new Date(now()))
        return Response.json(trial, { status: 201 })
      },
      {
        body: body(TrialSchema, { maxBytes: MAX_TRIAL_BYTES, check: checkTrial, example: EXAMPLE }),
        response: json(Answer, 201),
        detail: describe('Store a CPU measurement', STORE),
      },
    )
}

const CPU =
  `What \`weir bench\` measured, newest first, at most the last ${CPU_TRIALS_KEPT}: the CPU of a server that answers polls, and ` +
  'of one that streams the same changes. `saved`: 1 − streaming / polling, with the range of any two phases; not `isClear` if ' +
  'that range is wider than the share.'
const STORE = `\`weir bench\` sends it. The stream’s report shows the last one. The ${CPU_TRIALS_KEPT} newest are kept.`

const EXAMPLE: CpuTrial = {
  ...{ subscribers: 1_000, seconds: 5, clients: { polling: 76, streaming: 256 } },
  recorded: { from: '2026-11-30T23:34:23.888Z', to: '2026-11-30T23:35:30.000Z', polls: 131, changes: 26 },
  polling: {
    plain: { cpuMs: 2_646, leastMs: 2_500, mostMs: 2_792 },
    gzip: { cpuMs: 2_164, leastMs: 2_000, mostMs: 2_328 },
    conditional: { cpuMs: 2_279, leastMs: 2_100, mostMs: 2_458 },
  },
  streaming: { cpuMs: 421, leastMs: 400, mostMs: 442 },
}

/** @throws Problem `invalid_field` */
function checkTrial(value: unknown): CpuTrial {
  const trial = checked(TrialSchema, value)
  const { from, to } = trial.recorded
  const [since, until] = [dateOf('recorded', from), dateOf('recorded', to)] as [Date, Date]
  const recorded = { ...trial.recorded, from: since.toISOString(), to: until.toISOString() }
  return { ...trial, recorded }
}

function closed<P extends Parameters<typeof Type.Object>[0]>(fields: P) {
  return Type.Object(fields, { additionalProperties: false })
}
