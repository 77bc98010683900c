import { answerOf } from '../../client/client.ts'
import { period } from '../../core/change/words.ts'
import { percent } from '../../core/units.ts'
import { since } from '../args.ts'
import { type Command, EXIT } from '../command.ts'
import { type Fact, say, sayFacts, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'
import { safe } from '../text.ts'

export const cache: Command = {
  summary: 'Show what caches do, and could do, with polls of a stream',
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: { since: { value: 'WHEN', help: 'since a time, or a duration ago (default: 24h)' } },
  examples: ['weir cache prices', 'weir cache prices --since 7d --json'],
  async run(given, io) {
    const { client } = io
    const id = await resolveStream(io, given.args[0] ?? '')
    const found = await answerOf(
      client.url,
      client.api.streams({ id }).cache.get({ query: since(given, io) }),
    )
    if (given.has('json')) await sayJson(io, found)
    else if (found.reason !== null) await say(io, found.reason)
    else await sayFacts(io, facts(found))
    return EXIT.ok
  },
}

function facts(found: {
  polls: number
  cacheHits: number
  fresh: number
  freshChanged: number
  validators: string
  headers: { lifetimeMs: number | null; directives: string[] } | null
  suggestedMaxAge: number | null
}): Fact[] {
  const { polls, cacheHits, fresh, freshChanged, headers, suggestedMaxAge } = found
  const share = (count: number, of: number) => percent(of === 0 ? null : count / of)
  const lifetime = headers?.lifetimeMs ?? null
  const directives = headers === null ? '' : headers.directives.join(', ')
  return [
    [
      'cacheable',
      `${share(fresh, polls)} of ${polls} polls; ${share(freshChanged, fresh)} of those had changed`,
    ],
    ['from caches', `${share(cacheHits, polls)} of the answers`],
    ['lifetime', lifetimeText(lifetime)],
    ['cache-control', safe(directives) || '–'],
    ['validators', found.validators],
    ['suggested', suggestedMaxAge === null ? '–' : `max-age=${suggestedMaxAge}`],
  ]
}

function lifetimeText(ms: number | null): string {
  if (ms === null) return 'not stated'
  return ms === 0 ? 'not cacheable' : period(ms)
}
