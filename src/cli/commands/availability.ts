import { answerOf } from '../../client/client.ts'
import { AVAILABILITY_WINDOW_NAMES, availabilityText, windowSince } from '../../core/availability.ts'
import { period } from '../../core/change/words.ts'
import { utcMinute } from '../../core/units.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'
import { table } from '../table.ts'

export const availability: Command = {
  summary: 'Show how available one stream, a tag, or all were',
  takes: '[id|name]',
  min: 0,
  max: 1,
  completes: 'streams',
  options: { tag: { short: 't', value: 'TAG', help: 'only streams with this tag' } },
  examples: [
    'weir availability prices',
    'weir availability --tag shop --json | jq \'.windows["30d"].share\'',
  ],
  async run(given, io) {
    const found = await ask(given, io)
    if (given.has('json')) await sayJson(io, found)
    else await tell(io, found.windows)
    return EXIT.ok
  },
}

async function ask(given: Given, io: Io) {
  const { client } = io
  const [wanted] = given.args
  const tag = given.text('tag')
  if (wanted !== undefined && tag !== undefined) throw new UsageError(['use either a stream or --tag'])
  if (wanted === undefined) {
    return answerOf(client.url, client.api.availability.get({ query: { ...(tag !== undefined && { tag }) } }))
  }
  const id = await resolveStream(io, wanted)
  return answerOf(client.url, client.api.streams({ id }).availability.get({ query: {} }))
}

type Windows = Awaited<ReturnType<typeof ask>>['windows']

async function tell(io: Io, windows: Windows): Promise<void> {
  const { basis } = windows['24h']
  const now = io.now()
  const sinces = AVAILABILITY_WINDOW_NAMES.map((name) => windowSince(windows[name], name, now))
  const isPartial = sinces.some((since) => since !== undefined)
  const heads = ['WINDOW', 'AVAILABLE', ...HEADS[basis], ...(isPartial ? ['SINCE (UTC)'] : [])]
  const columns = heads.map((title, index) => ({
    title,
    alignRight: index > 0,
  }))
  const rows = AVAILABILITY_WINDOW_NAMES.map((name, index) => {
    const window = windows[name]
    const since = sinces[index]
    const last = isPartial ? [since === undefined ? '' : utcMinute(since)] : []
    return [name, availabilityText(window.share), ...details(window), ...last].map((text) => ({ text }))
  })
  await io.out.write(table(columns, rows, io.out.columns))
  if (basis === 'mean') await say(io, 'Mean over the streams.')
}

const HEADS = {
  checks: ['ANSWERED', 'UNANSWERED'],
  time: ['UP', 'DOWN', 'UNKNOWN'],
  mean: ['STREAMS'],
} as const

function details(window: Windows['1h']): string[] {
  if (window.basis === 'checks') return [window.answered, window.unanswered].map(String)
  if (window.basis === 'mean') return [String(window.streams)]
  return [window.upMs, window.downMs, window.unknownMs].map((ms) => period(ms ?? 0))
}
