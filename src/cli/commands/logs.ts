import { answerOf } from '../../client/client.ts'
import { followEntries } from '../../client/follow.ts'
import { ENTRY_KINDS } from '../../core/sets/entry-kinds.ts'
import { skipSentence } from '../../core/sets/gap-reasons.ts'
import type { EntryJson } from '../../streams/recording/entry.ts'
import { integer, since } from '../args.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { entryLine } from '../entry-line.ts'
import { linesOf } from '../lines.ts'
import { remark } from '../print.ts'
import { resolveStream } from '../resolve.ts'
import { safeJson } from '../text.ts'

const DEFAULT_LIMIT = 20
/** The maximum page size of the API. */
const MAX_LIMIT = 500

export const logs: Command = {
  summary: "Show a stream's log entries; -f follows new ones",
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: {
    follow: { short: 'f', help: 'follow new entries until Ctrl-C, even across restarts of Weir' },
    kind: {
      short: 'k',
      value: 'KIND',
      multiple: true,
      choices: ENTRY_KINDS,
      help: `only this kind: ${ENTRY_KINDS.join(', ')}`,
    },
    since: {
      value: 'WHEN',
      help: 'entries since a time, or a duration ago; all of them unless --limit is set',
    },
    limit: {
      short: 'n',
      value: 'N',
      help: `last N entries, at most ${MAX_LIMIT} (default: ${DEFAULT_LIMIT})`,
    },
  },
  examples: ['weir logs prices -f', 'weir logs prices --kind error --since 1d --json'],
  async run(given, io) {
    const follows = given.has('follow')
    try {
      const asked = await question(given, io)
      const last = await past(asked, io)
      if (follows) await live(asked, Math.max(last, asked.tip), io)
    } catch (error) {
      // Ctrl-C is the normal way to stop following.
      if (!follows || !io.stopped.aborted) throw error
    }
    return EXIT.ok
  },
}

interface Asked {
  id: string
  kinds: readonly string[]
  from?: string
  /** The last N entries; omitted: all from `from` on. */
  limit: number | undefined
  json: boolean
  /** Number of the last entry of any kind when the command started. */
  tip: number
}

async function question(given: Given, io: Io): Promise<Asked> {
  const { client } = io
  const asked = { kinds: given.texts('kind'), ...since(given, io), json: given.has('json') }
  const limit = integer(given, 'limit', 0, MAX_LIMIT)
  if (limit === 0 && !given.has('follow')) throw new UsageError(['--limit: 0 requires --follow'])
  const id = await resolveStream(io, given.args[0] as string)
  const { after } = await answerOf(client.url, client.api.streams({ id }).logs.get({ query: { limit: 1 } }))
  return {
    ...asked,
    id,
    tip: after ?? 0,
    limit: limit ?? (asked.from === undefined ? DEFAULT_LIMIT : undefined),
  }
}

/**
 * Prints stored entries.
 * @returns number of the last one printed, 0 for none
 */
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

/** The number before the first entry to print; `null` if there are none. */
async function before({ id, limit }: Asked, query: object, { client }: Io): Promise<number | null> {
  const page = client.api.streams({ id }).logs.get({ query: { ...query, limit: limit as number } })
  const [first] = (await answerOf(client.url, page)).items
  return first === undefined ? null : first.seq - 1
}

async function live(asked: Asked, after: number, io: Io): Promise<void> {
  for await (const message of followEntries(io.client, asked.id, { after, signal: io.stopped })) {
    if (message.kind === 'entry') await print(message.json, asked, io)
    if (message.kind === 'gap') await remark(io, skipped(message.json))
    if (message.kind === 'away') await remark(io, `${io.client.url} is unreachable. Retrying.`)
    if (message.kind === 'back') await remark(io, `Reconnected to ${io.client.url}.`)
  }
}

function skipped(json: string): string {
  return skipSentence(JSON.parse(json)) ?? `Missed entries that are no longer available: ${json}`
}

/**
 * Prints an entry if its kind is requested.
 * @returns its number
 */
async function print(json: string, { kinds, json: asJson }: Asked, { out }: Io): Promise<number> {
  const entry = JSON.parse(json) as EntryJson
  if (kinds.length > 0 && !kinds.includes(entry.kind)) return entry.seq
  await out.write(asJson ? safeJson(json) : entryLine(entry, out))
  return entry.seq
}
