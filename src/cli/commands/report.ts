import { writeFile } from 'node:fs/promises'
import { answerOf } from '../../client/client.ts'
import { bytes } from '../../core/units.ts'
import { time } from '../args.ts'
import { type Command, EXIT, FileError, type Given, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'

export const report: Command = {
  summary: 'Write a report of a stream, as a page or its figures',
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: {
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
  ],
  async run(given, io) {
    if (given.has('link') && given.text('out') !== undefined)
      throw new UsageError(['use either --link or --out'])
    const id = await resolveStream(io, given.args[0] ?? '')
    const now = io.now()
    const [from, to] = [time(given, now, 'from'), time(given, now, 'to')]
    const span = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
    if (given.has('link')) await tellLink(io, id, span, given.has('json'))
    else if (given.has('json')) await tellFigures(io, id, span)
    else await tellPage(io, id, span, given)
    return EXIT.ok
  },
}

type Span = { from?: string; to?: string }

async function tellLink(io: Io, id: string, span: Span, isJson: boolean): Promise<void> {
  const { client } = io
  const link = await answerOf(client.url, client.api.streams({ id }).report.link.post(span))
  if (isJson) await sayJson(io, link)
  else await say(io, link.url)
}

async function tellFigures(io: Io, id: string, span: Span): Promise<void> {
  const { client } = io
  await sayJson(io, await answerOf(client.url, client.api.streams({ id }).report.get({ query: span })))
}

async function tellPage(io: Io, id: string, span: Span, given: Given): Promise<void> {
  const headers = { accept: 'text/html' }
  const response = await io.client.open(`/streams/${id}/report?${new URLSearchParams(span)}`, { headers })
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
