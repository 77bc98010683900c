import { answerOf } from '../../client/client.ts'
import { period } from '../../core/change/words.ts'
import { percent } from '../../core/units.ts'
import { since } from '../args.ts'
import { type Command, EXIT } from '../command.ts'
import { age, type Fact, sayFacts, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'

export const change: Command = {
  summary: 'Show how often a stream changes, and what its interval misses',
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: { since: { value: 'WHEN', help: 'since a time, or a duration ago (default: 24h)' } },
  examples: ['weir change prices', 'weir change prices --since 7d --json'],
  async run(given, io) {
    const { client } = io
    const id = await resolveStream(io, given.args[0] ?? '')
    const found = await answerOf(
      client.url,
      client.api.streams({ id }).change.get({ query: since(given, io) }),
    )
    if (given.has('json')) await sayJson(io, found)
    else await sayFacts(io, facts(found, io.now()))
    return EXIT.ok
  },
}

type Found = Parameters<typeof facts>[0]

function facts(
  found: {
    frequency: { words: string } | null
    compared: number
    changed: number
    changeRate: number | null
    streamRank: { rank: number | null; time: number | null; size: number | null }
    missed: { intervalMs: number; share: number }[]
    suggestedIntervalMs: number | null
    lastChangedAt: string | null
  },
  now: number,
): Fact[] {
  const { frequency, streamRank, missed, suggestedIntervalMs, lastChangedAt } = found
  return [
    ['frequency', frequency?.words ?? 'nothing compared'],
    ['changed', `${found.changed} of ${found.compared} (${percent(found.changeRate)})`],
    ['last change', lastChangedAt === null ? 'never' : `${age(lastChangedAt, now)} ago`],
    ['rank', `${streamRank.rank ?? '–'} of 100 in 24 h`],
    ['unchanged', `${percent(streamRank.time)} of polls, ${percent(streamRank.size)} of bytes`],
    ['missed', missedText(missed)],
    ['suggested', suggestedIntervalMs === null ? '–' : `every ${period(suggestedIntervalMs)}`],
  ]
}

function missedText(missed: Found['missed']): string {
  if (missed.length === 0) return '–'
  return missed.map(({ intervalMs, share }) => `${percent(share)} at ${period(intervalMs)}`).join(', ')
}
