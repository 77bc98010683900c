import { answerOf } from '../../client/client.ts'
import { BASELINE_NAMES, BASELINES } from '../../core/saved.ts'
import { bytes, savedPercent } from '../../core/units.ts'
import { integer, since } from '../args.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'
import { table } from '../table.ts'

const MAX_SUBSCRIBERS = 1_000_000_000

export const savings: Command = {
  summary: 'Show what streaming saves over polling, for one stream, a tag, or all',
  takes: '[id|name]',
  min: 0,
  max: 1,
  completes: 'streams',
  options: {
    tag: { short: 't', value: 'TAG', help: 'only streams with this tag' },
    since: { value: 'WHEN', help: 'since a time, or a duration ago (default: 24h)' },
    subscribers: { value: 'N', help: 'subscribers per stream (default: the actual number)' },
  },
  examples: ['weir savings prices', 'weir savings --tag shop --since 7d --json'],
  async run(given, io) {
    const saved = await ask(given, io)
    if (given.has('json')) await sayJson(io, saved)
    else await tell(io, saved)
    return EXIT.ok
  },
}

async function ask(given: Given, io: Io) {
  const { client } = io
  const [wanted] = given.args
  const tag = given.text('tag')
  if (wanted !== undefined && tag !== undefined) throw new UsageError(['use either a stream or --tag'])
  const subscribers = integer(given, 'subscribers', 1, MAX_SUBSCRIBERS)
  const query = { ...since(given, io), ...(subscribers !== undefined && { subscribers }) }
  if (wanted === undefined) {
    return answerOf(
      client.url,
      client.api.savings.get({ query: { ...query, ...(tag !== undefined && { tag }) } }),
    )
  }
  const id = await resolveStream(io, wanted)
  return answerOf(client.url, client.api.streams({ id }).savings.get({ query }))
}

async function tell(io: Io, saved: Awaited<ReturnType<typeof ask>>): Promise<void> {
  const {
    baselines,
    streaming,
    network,
    clientBandwidthSavings: client,
    serverBandwidthSavings: server,
  } = saved
  if (baselines === null || streaming === null || network === null) {
    return say(io, saved.reason ?? 'Nothing to compare.')
  }
  await say(io, saved.summary ?? '')
  await say(io, `From ${saved.from} to ${saved.to}: ${saved.polls} polls, ${saved.connections} connections.`)
  const columns = [
    { title: 'AGAINST', shrinks: true },
    ...['POLLED', 'STREAMED', 'CLIENT SAVES', 'ON THE NETWORK', 'MEDIAN', 'UPSTREAM SAVES'].map((title) => ({
      title,
      alignRight: true,
    })),
  ]
  const rows = BASELINE_NAMES.map((name) => {
    const streamed = streaming[name === 'plain' ? 'plain' : 'gzip'].bytes
    const shares = [client, network.clientBandwidthSavings, saved.median, server]
    const texts = [
      BASELINES[name],
      bytes(baselines[name]),
      bytes(streamed),
      ...shares.map((of) => savedPercent(of[name])),
    ]
    return texts.map((text) => ({ text }))
  })
  await io.out.write(table(columns, rows, io.out.columns))
  const shared = Math.round(server.subscribers * 10) / 10
  const { streams } = saved.median
  await say(
    io,
    `Upstream savings assume ${shared === 1 ? '1 subscriber' : `${shared} subscribers`} per stream. ` +
      `The median is of ${streams === 1 ? '1 stream' : `${streams} streams`}.`,
  )
}
