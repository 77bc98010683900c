import { answerOf } from '../../client/client.ts'
import { UnreachableError, WeirError } from '../../client/errors.ts'
import type { CpuTrial } from '../../core/cpu/trial.ts'
import { integer } from '../args.ts'
import { runPhases } from '../bench/phases.ts'
import { type Recording, readRecording } from '../bench/recording.ts'
import { report, resultOf, trialOf } from '../bench/report.ts'
import { type Command, EXIT, type Io } from '../command.ts'
import { remark, sayJson } from '../print.ts'
import { progressLine } from '../progress.ts'
import { resolveStream } from '../resolve.ts'

const MAX_SUBSCRIBERS = 1_000_000_000
const MAX_SECONDS = 60
const DEFAULT_SUBSCRIBERS = 100
const DEFAULT_SECONDS = 5

export const bench: Command = {
  summary:
    "Measure and store how much of a server's CPU streaming saves over polling, with what a stream recorded",
  takes: '<id|name>',
  min: 1,
  max: 1,
  completes: 'streams',
  options: {
    subscribers: {
      short: 'n',
      value: 'N',
      help: `number of clients to compare (default: ${DEFAULT_SUBSCRIBERS})`,
    },
    seconds: {
      value: 'S',
      help: `length of each of the 8 phases, at most ${MAX_SECONDS} (default: ${DEFAULT_SECONDS})`,
    },
  },
  examples: ['weir bench prices', 'weir bench prices --subscribers 1000 --seconds 10 --json'],
  async run(given, io) {
    const subscribers = integer(given, 'subscribers', 1, MAX_SUBSCRIBERS) ?? DEFAULT_SUBSCRIBERS
    const seconds = integer(given, 'seconds', 1, MAX_SECONDS) ?? DEFAULT_SECONDS
    const recording = await readRecording(io, await resolveStream(io, given.args[0] as string))
    const phases = await measured(io, recording, { subscribers, seconds })
    const result = resultOf(recording, phases, subscribers)
    if (given.has('json')) await sayJson(io, result)
    else await report(io, result)
    await store(io, recording.id, trialOf(result, seconds))
    return EXIT.ok
  },
}

/** For the stream's report. What was measured is valid without that. */
async function store(io: Io, id: string, trial: CpuTrial): Promise<void> {
  const { client } = io
  try {
    await answerOf(client.url, client.api.streams({ id }).cpu.post(trial))
  } catch (error) {
    if (!(error instanceof WeirError || error instanceof UnreachableError)) throw error
    await remark(io, `The result isn’t stored: ${error.message}`)
  }
}

async function measured(io: Io, recording: Recording, options: { subscribers: number; seconds: number }) {
  const progress = progressLine(io.err, io.now)
  try {
    return await runPhases(io, recording, { ...options, progress })
  } finally {
    await progress.end()
  }
}
