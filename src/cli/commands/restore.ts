import { type Command, EXIT, FileError } from '../command.ts'
import { say, sayJson } from '../print.ts'
import { progressLine } from '../progress.ts'

export const restore: Command = {
  summary: 'Fills the database that DATA_DIR or DATABASE_URL names from a backup; no Weir may run on it',
  takes: '<file>',
  min: 1,
  max: 1,
  options: { force: { help: 'replaces all that is in the database' } },
  examples: [
    'DATA_DIR=./restored weir restore weir.ndjson.gz',
    'DATABASE_URL=postgres://weir@db/weir weir restore weir.ndjson.gz',
  ],
  async run(given, io) {
    const file = given.args[0] as string
    if (io.restore === undefined) throw new FileError('This program has no database of its own.')
    if (!(await Bun.file(file).exists())) throw new FileError(`${file} isn't there, or can't be read.`)
    const show = progressLine(io.err, io.now)
    const progress = (rows: number, { entries }: { entries: number }) =>
      void show(`${rows} rows; ${entries} of them are entries`)
    const restoring = io.restore(file, { force: given.has('force'), now: io.now, progress })
    await Promise.allSettled([restoring])
    await show.end()
    const { header, rows, into } = await restoring
    const { streams, entries, at } = header
    if (given.has('json')) await sayJson(io, { into, streams, entries, at, rows })
    else await say(io, `${into}: ${streams} streams with ${entries} entries as of ${at}, ${rows} rows.`)
    return EXIT.ok
  },
}
