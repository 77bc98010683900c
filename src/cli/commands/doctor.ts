import type { Finding } from '../../core/findings.ts'
import { type Command, EXIT, FileError, type Io } from '../command.ts'
import { findingPaint, say, sayJson } from '../print.ts'
import { table } from '../table.ts'
import { safe } from '../text.ts'

export const doctor: Command = {
  summary: 'Check the disk, the embedded Postgres and the servers that the settings name',
  takes: '',
  min: 0,
  max: 0,
  options: {},
  examples: ['weir doctor', 'DATABASE_URL=postgres://weir@db/weir weir doctor --json'],
  async run(given, io) {
    if (io.diagnose === undefined) throw new FileError("Doctor isn't available here.")
    const findings = await io.diagnose()
    const isWell = findings.every(({ status }) => status !== 'error')
    if (given.has('json')) await sayJson(io, { ok: isWell, findings })
    else await report(findings, isWell, io)
    return isWell ? EXIT.ok : EXIT.unwell
  },
}

async function report(findings: readonly Finding[], isWell: boolean, io: Io): Promise<void> {
  const rows = findings.map(({ check, status, detail }) => [
    { text: status, paint: findingPaint(io.out, status) },
    { text: check },
    { text: safe(detail) },
  ])
  // Nothing gives way: what to do must be readable in full.
  await io.out.write(table([{ title: 'STATUS' }, { title: 'CHECK' }, { title: 'DETAIL' }], rows, undefined))
  await say(io, isWell ? 'Weir can run here.' : "Weir can't run here until the errors are fixed.")
}
