import { answerOf, type WeirClient, type Wire } from '../../client/client.ts'
import { VERDICTS, type Verdict } from '../../core/judging/verdict.ts'
import { bytes } from '../../core/units.ts'
import { type Command, EXIT, type Io } from '../command.ts'
import { age, say, sayJson, verdictPaint } from '../print.ts'
import { type ListedStream, listStreams, resolveStream } from '../resolve.ts'
import { table } from '../table.ts'
import { safe } from '../text.ts'

/** Verdicts that something must be done about, the worst first; `backing-off` may pass by itself. */
const UNWELL: readonly Verdict[] = ['dead', 'stalled']
const ATTENTION: readonly Verdict[] = [...UNWELL, 'backing-off']
/** Streams named of each of them. */
const MAX_NAMED = 20

type Status = Wire<
  NonNullable<Awaited<ReturnType<ReturnType<WeirClient['api']['streams']>['status']['get']>>['data']>
>

export const status: Command = {
  summary: 'Says whether all is well: of one stream with its evidence, or of all',
  takes: '[id|name]',
  min: 0,
  max: 1,
  completes: 'streams',
  options: {},
  examples: ['weir status', 'weir status prices || mail -s "prices: look" ops@example.com < /dev/null'],
  run: (given, io) => {
    const [wanted] = given.args
    return wanted === undefined ? fleet(io, given.has('json')) : one(io, wanted, given.has('json'))
  },
}

async function one(io: Io, wanted: string, json: boolean): Promise<number> {
  const { client } = io
  const id = await resolveStream(io, wanted)
  const found = await answerOf(client.url, client.api.streams({ id }).status.get())
  if (json) await sayJson(io, found)
  else await tellOne(io, found)
  return UNWELL.includes(found.verdict) ? EXIT.unwell : EXIT.ok
}

async function tellOne(io: Io, { evidence, run, counts, ...stream }: Status): Promise<void> {
  const at = io.now()
  const ago = (when: string | null) => (when === null ? undefined : `${age(when, at)} ago`)
  const { entries, errors, wireBytes, minutes } = counts.recent
  const { lastError, nextRetryAt } = evidence
  await io.out.write(`${safe(stream.name)}: ${verdictPaint(io.out, stream.verdict)(stream.verdict)}\n`)
  const facts: [string, string | undefined][] = [
    ['reason', stream.reason],
    ['since', `${stream.since} (${age(stream.since, at)})`],
    ['kind', `${stream.kind}, should be ${stream.desired}`],
    ['run', run ? `${run.worker}, epoch ${run.epoch}, for ${age(run.since, at)}` : 'none'],
    ['phase', `${evidence.phase}, for ${age(evidence.phaseSince, at)}`],
    ['last byte', ago(evidence.lastByteAt)],
    ['last heartbeat', ago(evidence.lastHeartbeatAt)],
    ['last event', ago(evidence.lastEventAt)],
    ['last poll', ago(evidence.lastPollAt)],
    [
      'failures',
      evidence.failures > 0 ? `${evidence.failures}, for ${age(evidence.failingSince, at)}` : undefined,
    ],
    ['next retry', nextRetryAt ?? undefined],
    ['last error', lastError ? `${lastError.code}, ${ago(lastError.at)}: ${lastError.message}` : undefined],
    ['entries', String(counts.entries)],
    ['lately', `${entries} entries, ${errors} errors, ${bytes(wireBytes)} in ${Math.ceil(minutes)} min`],
    ['id', stream.id],
  ]
  for (const [name, text] of facts) if (text !== undefined) await say(io, `  ${name.padEnd(15)} ${text}`)
}

async function fleet(io: Io, json: boolean): Promise<number> {
  const { client } = io
  const counts = await answerOf(client.url, client.api.status.get())
  const attention = await inNeed(io)
  if (json) await sayJson(io, { ...counts, attention: attention.map(brief) })
  else await tellFleet(io, counts, attention)
  return UNWELL.some((verdict) => counts.verdicts[verdict] > 0) ? EXIT.unwell : EXIT.ok
}

async function inNeed(io: Io): Promise<ListedStream[]> {
  const found: ListedStream[] = []
  for (const state of ATTENTION) {
    for await (const page of listStreams(io, { state, limit: MAX_NAMED })) found.push(...page)
  }
  return found
}

function brief({ id, name, url, verdict, reason, since }: ListedStream) {
  return { id, name, url, verdict, reason, since }
}

async function tellFleet(
  io: Io,
  { streams, verdicts }: { streams: number; verdicts: Record<Verdict, number> },
  attention: readonly ListedStream[],
): Promise<void> {
  const parts = VERDICTS.filter((verdict) => verdicts[verdict] > 0).map(
    (verdict) => `${verdicts[verdict]} ${verdictPaint(io.out, verdict)(verdict)}`,
  )
  const what = streams === 1 ? '1 stream' : `${streams} streams`
  await io.out.write(`${what}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}\n`)
  if (attention.length === 0) return
  const columns = [
    { title: 'VERDICT' },
    { title: 'SINCE', alignRight: true },
    { title: 'NAME', shrinks: true },
    { title: 'REASON', shrinks: true },
  ]
  const rows = attention.map(({ verdict, since, name, reason }) => [
    { text: verdict, paint: verdictPaint(io.out, verdict) },
    ...[age(since, io.now()), name, reason].map((text) => ({ text: safe(text) })),
  ])
  await io.out.write(`\n${table(columns, rows, io.out.columns)}`)
}
