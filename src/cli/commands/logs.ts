import { answerOf } from '../../client/client.ts'
import { followEntries } from '../../client/follow.ts'
import type { EntryJson } from '../../streams/recording/entry.ts'
import { integer } from '../args.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { entryLine } from '../entry-line.ts'
import { linesOf } from '../lines.ts'
import { remark } from '../print.ts'
import { resolveStream } from '../resolve.ts'
import { safeJson } from '../text.ts'
import { since } from './savings.ts'

const KINDS = ['exchange', 'event', 'snapshot', 'patch', 'error', 'gap'] as const
const DEFAULT_LIMIT = 20
/** The largest page that the API gives. */
const MAX_LIMIT = 500

export const logs: Command = {
  summary: 'Shows what a stream recorded, and with -f what it records from now on',
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: {
    follow: { short: 'f', help: 'goes on with new entries until Ctrl-C, across restarts of Weir' },
    kind: {
      short: 'k',
      value: 'KIND',
      multiple: true,
      choices: KINDS,
      help: `only entries of the kind: ${KINDS.join(', ')}`,
    },
    since: { value: 'WHEN', help: 'from a time or a duration ago on: all of them, unless --limit is given' },
    limit: { short: 'n', value: 'N', help: `the last N, at most ${MAX_LIMIT} (${DEFAULT_LIMIT})` },
  },
  examples: ['weir logs prices -f', 'weir logs prices --kind error --since 1d --json'],
  async run(given, io) {
    const follows = given.has('follow')
    try {
      const asked = await question(given, io)
      const last = await past(asked, io)
      if (follows) await live(asked, Math.max(last, asked.tip), io)
    } catch (error) {
      // Whoever follows ends it by Ctrl-C: that is how it is done.
      if (!follows || !io.stopped.aborted) throw error
    }
    return EXIT.ok
  },
}

interface Asked {
  id: string
  kinds: readonly string[]
  from?: string
  /** The last so many; left out: all from `from` on. */
  limit: number | undefined
  json: boolean
  /** Number of the last entry when the command began, of whatever kind. */
  tip: number
}

async function question(given: Given, io: Io): Promise<Asked> {
  const { client } = io
  const asked = { kinds: given.texts('kind'), ...since(given, io), json: given.has('json') }
  const limit = integer(given, 'limit', 0, MAX_LIMIT)
  if (limit === 0 && !given.has('follow')) throw new UsageError(['--limit: 0 goes only with --follow'])
  const id = await resolveStream(io, given.args[0] as string)
  const { after } = await answerOf(client.url, client.api.streams({ id }).logs.get({ query: { limit: 1 } }))
  return {
    ...asked,
    id,
    tip: after ?? 0,
    limit: limit ?? (asked.from === undefined ? DEFAULT_LIMIT : undefined),
  }
}

/** Prints what is stored. @returns number of the last entry printed, 0 for none */
async function past(asked: Asked, io: Io): Promise<number> {
  const { client } = io
  const { id, limit, from, kinds } = asked
  const query = { ...(from && { from }), ...(kinds.length > 0 && { kind: kinds.join(',') }) }
  let left = limit ?? Number.POSITIVE_INFINITY
  if (left === 0) return 0
  const after = limit === undefined ? undefined : await before(asked, query, io)
  if (after === null) return 0
  const search = new URLSearchParams({ ...query, ...(after !== undefined && { after: String(after) }) })
  const path = `/api/streams/${id}/logs?${search}`
  const { body } = await client.open(path, { headers: { accept: 'application/x-ndjson' } })
  let last = 0
  for await (const line of linesOf(body as ReadableStream<Uint8Array>)) {
    last = await print(line, asked, io)
    if (--left === 0 || io.stopped.aborted) break
  }
  return last
}

/** The number before the first of the last entries that are wanted; `null` when there are none. */
async function before({ id, limit }: Asked, query: object, { client }: Io): Promise<number | null> {
  const page = client.api.streams({ id }).logs.get({ query: { ...query, limit: limit as number } })
  const [first] = (await answerOf(client.url, page)).items
  return first === undefined ? null : first.seq - 1
}

async function live(asked: Asked, after: number, io: Io): Promise<void> {
  for await (const message of followEntries(io.client, asked.id, { after, signal: io.stopped })) {
    if (message.kind === 'entry') await print(message.json, asked, io)
    if (message.kind === 'gap')
      await remark(io, `Entries are missing that Weir can't send any more: ${message.json}`)
    if (message.kind === 'away') await remark(io, `${io.client.url} is away; it is tried again.`)
    if (message.kind === 'back') await remark(io, `${io.client.url} is back.`)
  }
}

/** Prints an entry of a wanted kind. @returns its number */
async function print(json: string, { kinds, json: asJson }: Asked, { out }: Io): Promise<number> {
  const entry = JSON.parse(json) as EntryJson
  if (kinds.length > 0 && !kinds.includes(entry.kind)) return entry.seq
  await out.write(asJson ? safeJson(json) : entryLine(entry, out))
  return entry.seq
}
