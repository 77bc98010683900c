import { answerOf } from '../../client/client.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { listStreams, resolveStreams } from '../resolve.ts'

/** Concurrent requests with --all. */
const AT_ONCE = 8

type Verb = 'start' | 'stop'
const DESIRED = { start: 'running', stop: 'stopped' } as const
const DONE = { start: 'Started', stop: 'Stopped' } as const

export const start = command('start', 'Start streams; running streams are unaffected')
export const stop = command('stop', 'Stop streams; stopped streams are unaffected')

function command(verb: Verb, summary: string): Command {
  return {
    summary,
    takes: '<id|name>… | --tag TAG | --all',
    min: 0,
    max: Number.POSITIVE_INFINITY,
    completes: 'streams',
    options: {
      tag: { short: 't', value: 'TAG', help: 'all streams with this tag' },
      all: { help: 'all streams' },
    },
    examples: [`weir ${verb} prices "api.example.com/news feed"`, `weir ${verb} --tag shop`],
    async run(given, io) {
      checkOneWay(given)
      if (given.has('tag')) await tagged(verb, given, io)
      else if (given.has('all')) await all(verb, given, io)
      else await named(verb, given, io)
      return EXIT.ok
    },
  }
}

function checkOneWay(given: Given): void {
  const ways = [given.args.length > 0, given.has('tag'), given.has('all')].filter(Boolean).length
  if (ways === 1) return
  throw new UsageError([
    ways === 0 ? 'specify names or IDs, --tag or --all' : 'use only one of: names or IDs, --tag, --all',
  ])
}

async function named(verb: Verb, given: Given, io: Io): Promise<void> {
  const { client } = io
  for (const id of await resolveStreams(io, given.args)) {
    const stream = await answerOf(client.url, client.api.streams({ id })[verb].post())
    if (given.has('json')) await sayJson(io, stream)
    else await say(io, `${DONE[verb]} "${stream.name}".`)
  }
}

async function tagged(verb: Verb, given: Given, io: Io): Promise<void> {
  const { client } = io
  const query = { tag: given.text('tag') as string }
  await tell(verb, given, io, await answerOf(client.url, client.api.streams[verb].post(undefined, { query })))
}

async function all(verb: Verb, given: Given, io: Io): Promise<void> {
  const { client } = io
  const counts = { matched: 0, changed: 0 }
  for await (const page of listStreams(io, {})) {
    const others = page.filter(({ desired }) => desired !== DESIRED[verb])
    counts.matched += page.length
    while (others.length > 0) {
      const some = others.splice(0, AT_ONCE)
      await Promise.all(some.map(({ id }) => answerOf(client.url, client.api.streams({ id })[verb].post())))
      counts.changed += some.length
    }
  }
  await tell(verb, given, io, counts)
}

async function tell(
  verb: Verb,
  given: Given,
  io: Io,
  counts: { matched: number; changed: number },
): Promise<void> {
  if (given.has('json')) await sayJson(io, counts)
  else
    await say(
      io,
      `${DONE[verb]} ${counts.changed} of ${counts.matched} streams${counts.changed < counts.matched ? '; the others already were' : ''}.`,
    )
}
