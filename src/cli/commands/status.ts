import { answerOf, type WeirClient, type Wire } from '../../client/client.ts'
import { availabilityText } from '../../core/availability.ts'
import { expiryText } from '../../core/certificate.ts'
import { connectionsText } from '../../core/judging/ended-connections.ts'
import { failureText } from '../../core/judging/failure.ts'
import { resumesOf, resumesText } from '../../core/judging/resumes.ts'
import { DOWN, IN_TROUBLE, STATUSES, type Status } from '../../core/sets/statuses.ts'
import { STREAM_KIND, type StreamKind } from '../../core/sets/stream-kinds.ts'
import { bytes } from '../../core/units.ts'
import { type Command, EXIT, type Io } from '../command.ts'
import { age, type Fact, sayFacts, sayJson, statusPaint } from '../print.ts'
import { type ListedStream, listStreams, resolveStream } from '../resolve.ts'
import { table } from '../table.ts'
import { safe } from '../text.ts'

/** Maximum number of streams listed per status. */
const MAX_NAMED = 20

type Found = Wire<
  NonNullable<Awaited<ReturnType<ReturnType<WeirClient['api']['streams']>['status']['get']>>['data']>
>

export const status: Command = {
  summary: 'Show the status of one stream with its evidence, or of all streams',
  takes: '[id|name]',
  min: 0,
  max: 1,
  completes: 'streams',
  options: {},
  examples: [
    'weir status',
    'weir status prices || mail -s "prices needs attention" ops@example.com < /dev/null',
  ],
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
  else await tellOne(io, found, (await answerOf(client.url, client.api.streams({ id }).get())).resumes)
  return DOWN.includes(found.status) ? EXIT.unwell : EXIT.ok
}

async function tellOne(
  io: Io,
  { evidence, run, counts, ...stream }: Found,
  isDeclared: boolean,
): Promise<void> {
  const at = io.now()
  const ago = (when: string | null) => (when === null ? undefined : `${age(when, at)} ago`)
  const { entries, errors, wireBytes, minutes } = counts.recent
  const { lastError, nextRetryAt, retries, certificate } = evidence
  await io.out.write(`${safe(stream.name)}: ${statusPaint(io.out, stream.status)(stream.status)}\n`)
  const facts: Fact[] = [
    ['reason', stream.reason],
    ['since', `${stream.since} (${age(stream.since, at)})`],
    ['available', `${availabilityText(stream.availability)} in 24 h`],
    ['kind', `${stream.kind}, desired: ${stream.desired}`],
    ['run', run ? `${run.worker}, epoch ${run.epoch}, for ${age(run.since, at)}` : 'none'],
    ['phase', `${evidence.phase}, for ${age(evidence.phaseSince, at)}`],
    ['last byte', ago(evidence.lastByteAt)],
    ['last heartbeat', ago(evidence.lastHeartbeatAt)],
    ['last event', ago(evidence.lastEventAt)],
    ['last poll', ago(evidence.lastPollAt)],
    ['redirects', redirectsIn(evidence.redirects)],
    ['connections', evidence.connections ? connectionsText(evidence.connections) : undefined],
    ['resumes', resumesIn(stream.kind, isDeclared, evidence.resumes)],
    ['certificate', certificate ? `expires ${expiryText(Date.parse(certificate.expiresAt), at)}` : undefined],
    [
      'failures',
      evidence.failures > 0 ? `${evidence.failures}, for ${age(evidence.failingSince, at)}` : undefined,
    ],
    ['next retry', nextRetryAt ?? undefined],
    [
      'retries',
      retries
        ? `${retries.left} of ${retries.perDay} left for the host until ${retries.resetsAt}`
        : undefined,
    ],
    [
      'last error',
      lastError ? `${lastError.code}, ${ago(lastError.at)}: ${failureText(lastError)}` : undefined,
    ],
    ['entries', String(counts.entries)],
    ['recent', `${entries} entries, ${errors} errors, ${bytes(wireBytes)} in ${Math.ceil(minutes)} min`],
    ['id', stream.id],
  ]
  await sayFacts(io, facts, '  ')
}

function redirectsIn(hops: Found['evidence']['redirects']): string | undefined {
  const last = hops.at(-1)
  return last && `${hops.map(({ status }) => status).join(', ')} → ${last.to}`
}

function resumesIn(kind: StreamKind, isDeclared: boolean, counts: Found['evidence']['resumes']) {
  return STREAM_KIND[kind].isPolled ? undefined : resumesText(isDeclared, resumesOf(counts ?? undefined))
}

async function fleet(io: Io, json: boolean): Promise<number> {
  const { client } = io
  const counts = await answerOf(client.url, client.api.status.get())
  const attention = await inNeed(io)
  if (json) await sayJson(io, { ...counts, attention: attention.map(brief) })
  else await tellFleet(io, counts, attention)
  return DOWN.some((status) => counts.statuses[status] > 0) ? EXIT.unwell : EXIT.ok
}

async function inNeed(io: Io): Promise<ListedStream[]> {
  const found: ListedStream[] = []
  for (const status of IN_TROUBLE) {
    for await (const page of listStreams(io, { status, limit: MAX_NAMED })) found.push(...page)
  }
  return found
}

function brief({ id, name, url, status, reason, since }: ListedStream) {
  return { id, name, url, status, reason, since }
}

async function tellFleet(
  io: Io,
  { streams, statuses }: { streams: number; statuses: Record<Status, number> },
  attention: readonly ListedStream[],
): Promise<void> {
  const parts = STATUSES.filter((status) => statuses[status] > 0).map(
    (status) => `${statuses[status]} ${statusPaint(io.out, status)(status)}`,
  )
  const what = streams === 1 ? '1 stream' : `${streams} streams`
  await io.out.write(`${what}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}\n`)
  if (attention.length === 0) return
  const columns = [
    { title: 'STATUS' },
    { title: 'SINCE', alignRight: true },
    { title: 'NAME', shrinks: true },
    { title: 'REASON', shrinks: true },
  ]
  const rows = attention.map(({ status, since, name, reason }) => [
    { text: status, paint: statusPaint(io.out, status) },
    ...[age(since, io.now()), name, reason].map((text) => ({ text: safe(text) })),
  ])
  await io.out.write(`\n${table(columns, rows, io.out.columns)}`)
}
