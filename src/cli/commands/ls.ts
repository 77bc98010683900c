import { availabilityText } from '../../core/availability.ts'
import { STATUSES, type Status } from '../../core/sets/statuses.ts'
import { integer } from '../args.ts'
import { type Command, EXIT, type Given, type Io, type Output } from '../command.ts'
import { age, remark, sayJson, statusPaint } from '../print.ts'
import { type ListedStream, listStreams } from '../resolve.ts'
import { type Cell, type Column, table } from '../table.ts'
import { safe } from '../text.ts'

const MAX_LIMIT = 1_000_000
/** A narrower terminal, in columns, has no room for IDs; names work as well. */
const WIDE = 140

const COLUMNS: readonly Column[] = [
  { title: 'STATUS' },
  { title: 'SINCE', alignRight: true },
  { title: '24H', alignRight: true },
  { title: 'KIND' },
  { title: 'NAME', shrinks: true },
  { title: 'TAGS', shrinks: true },
  { title: 'URL', shrinks: true },
  { title: 'ID' },
]

export const ls: Command = {
  summary: 'List streams with their status',
  takes: '',
  min: 0,
  max: 0,
  options: {
    tag: { short: 't', value: 'TAG', help: 'only streams with this tag' },
    status: { value: 'STATUS', choices: STATUSES, help: `only this status: ${STATUSES.join(', ')}` },
    host: { value: 'HOST', help: 'only streams of this host, with the port if the URL has one' },
    q: { value: 'TEXT', help: 'search in name and URL' },
    limit: { short: 'n', value: 'N', help: 'maximum number (default: all)' },
  },
  examples: ['weir ls --status dead', "weir ls --tag shop --json | jq -r '.name'"],
  async run(given, io) {
    const rows: ListedStream[] = []
    for await (const stream of matching(given, io)) {
      if (given.has('json')) await sayJson(io, stream)
      else rows.push(stream)
    }
    if (given.has('json')) return EXIT.ok
    if (rows.length === 0) await remark(io, 'No streams.')
    else await io.out.write(shown(rows, io))
    return EXIT.ok
  },
}

async function* matching(given: Given, io: Io): AsyncGenerator<ListedStream> {
  const [tag, host, q] = ['tag', 'host', 'q'].map((name) => given.text(name))
  const limit = integer(given, 'limit', 1, MAX_LIMIT) ?? MAX_LIMIT
  const query = {
    ...(tag !== undefined && { tag }),
    ...(given.has('status') && { status: given.text('status') as Status }),
    // The API searches text: matches other than the host itself are filtered out here.
    ...((q ?? host) !== undefined && { q: (q ?? host) as string }),
    ...(host === undefined && { limit }),
  }
  let count = 0
  for await (const page of listStreams(io, query)) {
    for (const stream of page) {
      if (host !== undefined && new URL(stream.url).host !== host.toLowerCase()) continue
      if (++count > limit) return
      yield stream
    }
  }
}

function shown(streams: readonly ListedStream[], { out, now }: Io): string {
  const isNarrow = out.columns !== undefined && out.columns < WIDE
  const columns = isNarrow ? COLUMNS.slice(0, -1) : COLUMNS
  const at = now()
  return table(
    columns,
    streams.map((stream) => row(stream, out, at).slice(0, columns.length)),
    out.columns,
  )
}

function row(
  { status, since, availability, kind, name, tags, url, id }: ListedStream,
  out: Output,
  now: number,
): Cell[] {
  return [
    { text: status, paint: statusPaint(out, status) },
    ...[age(since, now), availabilityText(availability), kind, name, tags.join(', '), url, id].map(
      (text) => ({ text: safe(text) }),
    ),
  ]
}
