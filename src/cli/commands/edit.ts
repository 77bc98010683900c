import { answerOf } from '../../client/client.ts'
import { HIDDEN } from '../../core/hidden.ts'
import { type Command, EXIT, type Given, type Io, UsageError } from '../command.ts'
import { DEAD_AFTER_OPTIONS, deadAfter } from '../dead-after.ts'
import { remark, say, sayJson } from '../print.ts'
import { REQUEST_OPTIONS, requestOptions } from '../request-options.ts'
import { resolveStream } from '../resolve.ts'
import { safe } from '../text.ts'
import { headers, interval } from './add.ts'

export const edit: Command = {
  summary: 'Change a stream',
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: {
    'new-url': {
      value: 'URL',
      help: 'new URL; a different origin removes the stored headers',
    },
    name: { value: 'NAME', help: 'new name' },
    interval: { value: 'DURATION', help: 'polling interval, such as 500ms, 30s or 1h' },
    header: {
      short: 'H',
      value: "'NAME: VALUE'",
      multiple: true,
      help: 'request header, in addition to stored headers',
    },
    ...REQUEST_OPTIONS,
    'no-repeatable': { help: 'never send a POST or PUT twice' },
    'no-auth': { help: 'remove --auth' },
    'no-tls': { help: 'remove --cert, --key and --cacert' },
    ...DEAD_AFTER_OPTIONS,
    resumes: { help: 'the upstream sends everything after Last-Event-ID: no gap without proof' },
    'no-resumes': { help: 'record a gap unless event IDs prove that nothing is missing' },
    yes: { short: 'y', help: "don't ask before removing headers" },
  },
  examples: [
    'weir edit prices --interval 10s',
    "weir edit prices --new-url https://new.example.com/prices -H 'Authorization: Bearer secret'",
  ],
  async run(given, io) {
    const { client } = io
    const id = await resolveStream(io, given.args[0] as string)
    const stream = await answerOf(client.url, client.api.streams({ id }).get())
    const dropped = droppedBy(stream, given)
    if (dropped.length > 0 && !given.has('yes') && !(await agrees(io, stream.name, dropped))) {
      await remark(io, 'No changes made.')
      return EXIT.interrupted
    }
    const changed = await answerOf(
      client.url,
      client.api.streams({ id }).patch(await changeOf(stream, given)),
    )
    const { name, droppedHeaders } = changed
    if (given.has('json')) await sayJson(io, changed)
    else {
      const without = droppedHeaders.length > 0 ? ` Removed headers: ${droppedHeaders.join(', ')}.` : ''
      await say(io, `Changed "${name}".${without}`)
    }
    return EXIT.ok
  },
}

interface Known {
  url: string
  headers: Record<string, string>
}

/**
 * Asks before anything is done.
 * @throws UsageError without a terminal
 */
async function agrees(io: Io, name: string, dropped: readonly string[]): Promise<boolean> {
  const what = `headers for the old origin are removed (${dropped.join(', ')})`
  if (io.ask === undefined)
    throw new UsageError([safe(`${what}: set them again with --header, or confirm with --yes`)], 'edit')
  return io.ask(safe(`Change "${name}"? Its ${what} unless you set them with --header.`))
}

/** Names of the stored headers that a URL of another origin drops; Weir itself drops them, this only predicts it. */
function droppedBy(stream: Known, given: Given): string[] {
  const url = given.text('new-url')
  if (url === undefined || !URL.canParse(url) || new URL(url).origin === new URL(stream.url).origin) return []
  const again = new Set(Object.keys(headers(given.texts('header'))).map((name) => name.toLowerCase()))
  const gone = Object.keys(stream.headers).filter((name) => !again.has(name.toLowerCase()))
  return gone.sort()
}

async function changeOf(stream: Known, given: Given) {
  const [url, name] = [given.text('new-url'), given.text('name')]
  const intervalMs = interval(given.text('interval'))
  const change = {
    ...(url !== undefined && { url }),
    ...(name !== undefined && { name }),
    ...(intervalMs !== undefined && { intervalMs }),
    ...(await requestOptions(given)),
    ...(given.has('no-repeatable') && { repeatable: false }),
    ...(given.has('no-auth') && { auth: null }),
    ...(given.has('no-tls') && { tls: null }),
    ...deadAfter(given),
    ...resumes(given),
    ...(given.has('header') && { headers: besideStored(stream, headers(given.texts('header'))) }),
  }
  if (Object.keys(change).length > 0) return change
  throw new UsageError(
    [
      'nothing to change: give --new-url, --name, --interval, --dead-after, --dead-after-failures, --resumes, --no-resumes, --header, --cookies, --repeatable, --auth, --cert, --cacert or their opposites',
    ],
    'edit',
  )
}

function resumes(given: Given): { resumes?: boolean } {
  const [isSet, isUnset] = [given.has('resumes'), given.has('no-resumes')]
  if (isSet && isUnset) throw new UsageError(['use either --resumes or --no-resumes'])
  return isSet || isUnset ? { resumes: isSet } : {}
}

/** A change replaces all headers: stored ones are kept by their placeholder. */
function besideStored({ headers: stored }: Known, added: Record<string, string>): Record<string, string> {
  const names = new Set(Object.keys(added).map((name) => name.toLowerCase()))
  const kept = Object.keys(stored).filter((name) => !names.has(name.toLowerCase()))
  return { ...Object.fromEntries(kept.map((name) => [name, HIDDEN])), ...added }
}
