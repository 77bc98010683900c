import { answerOf } from '../../client/client.ts'
import { type Command, EXIT } from '../command.ts'
import { remark, say, sayJson } from '../print.ts'
import { resolveStream } from '../resolve.ts'

export const notify: Command = {
  summary: 'Send a notification about a stream',
  takes: '<id|name> <message>',
  min: 2,
  max: 2,
  completes: 'streams',
  options: {},
  examples: ['weir notify prices "The supplier is moving; expect gaps until noon."'],
  async run(given, io) {
    const { client } = io
    const [wanted, message] = given.args as [string, string]
    const id = await resolveStream(io, wanted)
    const told = await answerOf(client.url, client.api.streams({ id }).notify.post({ message }))
    if (given.has('json')) await sayJson(io, told)
    else {
      await say(io, `Sent to ${told.channels.map(({ name, kind }) => `${name} (${kind})`).join(', ')}.`)
      for (const { name } of told.suspended) await remark(io, `Skipped ${name}, which is suspended.`)
    }
    return EXIT.ok
  },
}
