import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Bench, Goal, Report, Table } from './bench.ts'

const FILE = join(import.meta.dir, '../RESULTS.md')
const HEAD = `# What Weir costs, compared with others

Made by \`bun run bench\`; \`bun run bench NAME\` replaces one section. Each names the machine, commit and time of the
measurement: compare ratios within one run, never figures from two. CPU is that of the whole process tree.
`

/** The conditions of a measurement. */
export interface Setting {
  commit: string
  startedAt: Date
  /** The seed of the bench. */
  seed: number
}

/** Writes a bench's section: replaces the old one, or inserts it in order. */
export function writeSection(names: readonly string[], name: string, text: string): void {
  const sections = existsSync(FILE) ? sectionsOf(readFileSync(FILE, 'utf8')) : new Map<string, string>()
  sections.set(name, text.trimEnd())
  const known = names.filter((each) => sections.has(each))
  writeFileSync(FILE, `${[HEAD.trimEnd(), ...known.map((each) => sections.get(each))].join('\n\n')}\n`)
}

export function sectionOf(
  name: string,
  { title, limits = [] }: Pick<Bench, 'title' | 'limits'>,
  report: Report,
  setting: Setting,
): string {
  return [
    `## ${name}: ${title}`,
    `${setting.startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, commit ${setting.commit}, ${machine()}, seed ${setting.seed}.`,
    report.method,
    ...report.tables.map(tableText),
    goalsText(report.goals),
    report.notes.map((note) => `- ${note}`).join('\n'),
    limits.length > 0 && ['Limits and experiments:\n', ...limits.map((limit) => `- ${limit}`)].join('\n'),
  ]
    .filter(Boolean)
    .join('\n\n')
}

function sectionsOf(text: string): Map<string, string> {
  const parts = text.split(/^(?=## )/m).slice(1)
  return new Map(parts.map((part) => [/^## ([\w-]+)/.exec(part)?.[1] ?? '', part.trimEnd()]))
}

function goalsText(goals: readonly Goal[]): string {
  if (goals.length === 0) return ''
  const rows = goals.map(({ text, measured, reached }) => [text, measured, reached ? 'yes' : '**no**'])
  return tableText({ columns: ['goal', 'measured', 'met'], rows })
}

function tableText({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n')
}

function machine(): string {
  const all = cpus()
  const gib = Math.round(totalmem() / 2 ** 30)
  const load = loadavg()[0]?.toFixed(1)
  return `${all.length} × ${all[0]?.model.trim()}, ${gib} GiB, Linux ${release()}, Bun ${Bun.version}, load average ${load}`
}
