import { writeFile } from 'node:fs/promises'
import { answerOf } from '../../client/client.ts'
import { bytes } from '../../core/units.ts'
import { time } from '../args.ts'
import { type Command, EXIT, FileError, type Given, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'

export const report: Command = {
  summary: 'Write a report of a stream or a tag, as a page or its figures',
  takes: '[id|name]',
  min: 0,
  max: 1,
  completes: 'streams',
  options: {
    tag: { short: 't', value: 'TAG', help: 'a report of the streams with a tag, instead of one stream' },
    from: { value: 'WHEN', help: 'since a time, or a duration ago (default: 7d)' },
    to: { value: 'WHEN', help: 'until a time, or a duration ago (default: now)' },
    out: { value: 'FILE', help: 'write the page to a new file' },
    force: { help: 'overwrite an existing file' },
    link: { help: 'print a link that opens the report for 30 days without signing in' },
  },
  examples: [
    'weir report prices --out prices.html',
    'weir report prices --from 30d --json | jq .figures',
    'weir report prices --link',
    'weir report --tag shop --out shop.html',
  ],
  async run(given, io) {
    if (given.has('link') && given.text('out') !== undefined)
      throw new UsageError(['use either --link or --out'])
    const of = await subjectOf(given, io)
    const now = io.now()
    const [from, to] = [time(given, now, 'from'), time(given, now, 'to')]
    const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
    if (given.has('link')) await tellLink(io, of, span, given.has('json'))
    else if (given.has('json')) await tellFigures(io, of, span)
    else await tellPage(io, of, span, given)
    return EXIT.ok
  },
}

type Span = { from?: string; to?: string }
type Subject = { id: string } | { tag: string }

async function subjectOf(given: Given, io: Io): Promise<Subject> {
  const [name] = given.args
  const tag = given.text('tag')
  if ((name === undefined) === (tag === undefined)) throw new UsageError(['name either a stream or a --tag'])
  return tag === undefined ? { id: await resolveStream(io, name ?? '') } : { tag }
}

async function tellLink(io: Io, of: Subject, span: Span, isJson: boolean): Promise<void> {
  const { client } = io
  const asked =
    'tag' in of
      ? client.api.report.link.post({ ...of, ...span })
      : client.api.streams(of).report.link.post(span)
  const link = await answerOf(client.url, asked)
  if (isJson) await sayJson(io, link)
  else await say(io, link.url)
}

async function tellFigures(io: Io, of: Subject, span: Span): Promise<void> {
  const { client } = io
  if ('tag' in of)
    await sayJson(io, await answerOf(client.url, client.api.report.get({ query: { ...of, ...span } })))
  else await sayJson(io, await answerOf(client.url, client.api.streams(of).report.get({ query: span })))
}

async function tellPage(io: Io, of: Subject, span: Span, given: Given): Promise<void> {
  const headers = { accept: 'text/html' }
  const [path, query] = 'tag' in of ? ['/report', { ...of, ...span }] : [`/streams/${of.id}/report`, span]
  const response = await io.client.open(`${path}?${new URLSearchParams(query)}`, { headers })
  const page = await response.text()
  const file = given.text('out')
  if (file === undefined) return io.out.write(page)
  try {
    await writeFile(file, page, { flag: given.has('force') ? 'w' : 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new FileError(`${file} already exists. Use --force to overwrite it.`)
    throw new FileError(`${file}: ${(error as Error).message}`)
  }
  await say(io, `${file}: ${bytes(Buffer.byteLength(page))}`)
}
