import { answerOf, type WeirClient, type Wire } from '../client/client.ts'
import { type Io, UnclearError } from './command.ts'

/** Page size: the maximum of the API. */
const PAGE = 500
/** Maximum number of IDs listed for an ambiguous name. */
const MAX_TOLD = 5
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export type StreamsQuery = NonNullable<
  NonNullable<Parameters<WeirClient['api']['streams']['get']>[0]>['query']
>
export type ListedStream = Wire<
  NonNullable<Awaited<ReturnType<WeirClient['api']['streams']['get']>>['data']>
>['items'][number]

/** Every stream that matches, page by page. */
export async function* listStreams({ client }: Io, query: StreamsQuery): AsyncGenerator<ListedStream[]> {
  let left = query.limit ?? Number.POSITIVE_INFINITY
  let after = query.after
  while (left > 0) {
    const asked = { ...query, limit: Math.min(PAGE, left), ...(after && { after }) }
    const { items, next } = await answerOf(client.url, client.api.streams.get({ query: asked }))
    yield items
    left -= items.length
    if (next === null) return
    after = next
  }
}

/**
 * The ID of the stream that an argument identifies: an ID, or a full name.
 * @throws UnclearError
 */
export async function resolveStream(io: Io, text: string): Promise<string> {
  if (ID.test(text)) return text
  const found: string[] = []
  if (text !== '') {
    for await (const page of listStreams(io, { q: text })) {
      found.push(...page.filter(({ name }) => name === text).map(({ id }) => id))
    }
  }
  const [id, ...others] = found
  if (id === undefined) throw new UnclearError('not_found', `Stream "${text}" not found.`)
  if (others.length === 0) return id
  const told = found.slice(0, MAX_TOLD).join(', ') + (found.length > MAX_TOLD ? ', …' : '')
  throw new UnclearError(
    'ambiguous',
    `${found.length} streams are named "${text}". Use an ID instead: ${told}.`,
  )
}

/** The IDs that arguments identify, without duplicates. All are resolved before the first one is used. */
export async function resolveStreams(io: Io, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (const text of texts) ids.push(await resolveStream(io, text))
  return [...new Set(ids)]
}
