import { answerOf } from '../../client/client.ts'
import { type Command, EXIT, FileError, type Io, UsageError } from '../command.ts'
import { say, sayJson } from '../print.ts'

const ACTIONS = ['apply', 'show', 'withdraw']

export const topology: Command = {
  summary: 'Declare the topology, from a Mermaid flowchart or a simulated graph',
  takes: '<apply|show|withdraw> [file]',
  min: 1,
  max: 2,
  completes: ACTIONS,
  options: {},
  examples: [
    'weir topology apply ops/sample.mmd',
    'weir topology show > declared.mmd',
    'weir topology withdraw',
  ],
  async run(given, io) {
    const [action, file] = given.args
    if ((action === 'apply') === (file === undefined) || !ACTIONS.includes(action ?? '')) {
      throw new UsageError(['expected "apply <file>", "show" or "withdraw"'], 'topology')
    }
    if (file !== undefined) await apply(io, file, given.has('json'))
    else if (action === 'show') await show(io, given.has('json'))
    else await withdraw(io)
    return EXIT.ok
  },
}

async function apply(io: Io, file: string, isJson: boolean): Promise<void> {
  const text = await Bun.file(file)
    .text()
    .catch((error: Error) => {
      throw new FileError(`${file}: ${error.message}`)
    })
  const { client } = io
  const declared = await answerOf(client.url, client.api.topology.declared.put({ text }))
  if (isJson) return sayJson(io, declared)
  const { services, calls } = declared
  await say(io, `Declared ${services.length} services and ${calls.length} calls.`)
}

async function show(io: Io, isJson: boolean): Promise<void> {
  const { client } = io
  const declared = await answerOf(client.url, client.api.topology.declared.get())
  if (isJson) await sayJson(io, declared)
  else for (const line of declared.text.trimEnd().split(/\r\n|\r|\n/)) await say(io, line)
}

async function withdraw(io: Io): Promise<void> {
  const { client } = io
  await answerOf(client.url, client.api.topology.declared.delete())
  await say(io, 'The declaration is withdrawn. Reported services and calls stay.')
}
