import { type Command, EXIT, FileError } from '../../command.ts'
import { say, sayJson } from '../../print.ts'
import { progressLine } from '../../progress.ts'

export const restore: Command = {
  summary: 'Restore a backup into the database set by DATA_DIR or DATABASE_URL; stop Weir first',
  takes: '<file>',
  min: 1,
  max: 1,
  options: { force: { help: 'replace all data in the database' } },
  examples: [
    'DATA_DIR=./restored weir restore weir.ndjson.gz',
    'DATABASE_URL=postgres://weir@db/weir weir restore weir.ndjson.gz',
  ],
  async run(given, io) {
    const file = given.args[0] as string
    if (io.restore === undefined) throw new FileError("Restore isn't available here.")
    if (!(await Bun.file(file).exists())) throw new FileError(`${file} doesn't exist or isn't readable.`)
    const show = progressLine(io.err, io.now)
    const progress = (rows: number, { entries }: { entries: number }) =>
      void show(`${rows} rows, including ${entries} entries`)
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
