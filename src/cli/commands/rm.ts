import { answerOf } from '../../client/client.ts'
import { type Command, EXIT, UsageError } from '../command.ts'
import { remark, say, sayJson } from '../print.ts'
import { resolveStreams } from '../resolve.ts'
import { safe } from '../text.ts'

export const rm: Command = {
  summary: 'Remove streams and all their recorded data',
  takes: '<id|name>…',
  min: 1,
  max: Number.POSITIVE_INFINITY,
  completes: 'streams',
  options: { yes: { short: 'y', help: "don't ask" } },
  examples: ['weir rm prices --yes'],
  async run(given, io) {
    const { client } = io
    const doomed = []
    for (const id of await resolveStreams(io, given.args)) {
      const { name } = await answerOf(client.url, client.api.streams({ id }).get())
      doomed.push({ id, name })
    }
    if (!given.has('yes')) {
      if (io.ask === undefined) throw new UsageError(['no terminal to ask for confirmation; use --yes'], 'rm')
      const named = doomed.map(({ name }) => `"${name}"`).join(', ')
      if (!(await io.ask(safe(`Remove ${named} and all recorded data?`)))) {
        await remark(io, 'Nothing removed.')
        return EXIT.interrupted
      }
    }
    for (const { id, name } of doomed) {
      await answerOf(client.url, client.api.streams({ id }).delete())
      if (given.has('json')) await sayJson(io, { id, name, removed: true })
      else await say(io, `Removed "${name}".`)
    }
    return EXIT.ok
  },
}
