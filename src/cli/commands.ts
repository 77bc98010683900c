import type { Command } from './command.ts'
import { add } from './commands/add.ts'
import { availability } from './commands/availability.ts'
import { bench } from './commands/bench.ts'
import { cache } from './commands/cache.ts'
import { change } from './commands/change.ts'
import { completion } from './commands/completion.ts'
import { start, stop } from './commands/desire.ts'
import { doctor } from './commands/doctor.ts'
import { edit } from './commands/edit.ts'
import { backup } from './commands/files/backup.ts'
import { importFile } from './commands/files/import.ts'
import { restore } from './commands/files/restore.ts'
import { logs } from './commands/logs.ts'
import { ls } from './commands/ls.ts'
import { notify } from './commands/notify.ts'
import { report } from './commands/report.ts'
import { rm } from './commands/rm.ts'
import { savings } from './commands/savings.ts'
import { status } from './commands/status.ts'
import { topology } from './commands/topology.ts'

/** Every command, in the order of the help. */
export const COMMANDS: Record<string, Command> = {
  add,
  ls,
  edit,
  import: importFile,
  start,
  stop,
  status,
  logs,
  savings,
  availability,
  change,
  cache,
  report,
  bench,
  topology,
  notify,
  rm,
  backup,
  restore,
  doctor,
  completion,
}
