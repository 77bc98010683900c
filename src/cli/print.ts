import { styleText } from 'node:util'
import type { Finding } from '../core/findings.ts'
import { span } from '../core/judging/status.ts'
import { STATUS, type Status } from '../core/sets/statuses.ts'
import type { Io, Output } from './command.ts'
import { jsonLine, safe } from './text.ts'

type Style = Parameters<typeof styleText>[0]

/** Width of the names of facts, in characters. */
const NAME_WIDTH = 15

/** Colors a status, if colors are enabled. */
export function statusPaint({ colors }: Output, status: Status): (text: string) => string {
  return painter(colors, STATUS[status].terminal)
}

export function findingPaint({ colors }: Output, status: Finding['status']): (text: string) => string {
  return painter(colors, status === 'ok' ? 'green' : status === 'warning' ? 'yellow' : ['bold', 'red'])
}

export function dimmed({ colors }: Output): (text: string) => string {
  return painter(colors, 'dim')
}

function painter(colors: boolean, style: Style | undefined): (text: string) => string {
  if (!colors || style === undefined) return (text) => text
  return (text) => styleText(style, text, { validateStream: false })
}

/** How long ago an instant was. */
export function age(at: string | null | undefined, now: number): string {
  return at ? span(Math.max(0, now - Date.parse(at))) : '–'
}

/** One line for people, safe for a terminal. */
export async function say({ out }: Io, text: string): Promise<void> {
  await out.write(`${safe(text)}\n`)
}

/** What is known by a name; nothing is known if the text is undefined. */
export type Fact = [name: string, text: string | undefined]

/** Facts, one per line. */
export async function sayFacts(io: Io, facts: readonly Fact[], indent = ''): Promise<void> {
  for (const [name, text] of facts)
    if (text !== undefined) await say(io, `${indent}${name.padEnd(NAME_WIDTH)} ${text}`)
}

/** One JSON value per line, for scripts. */
export async function sayJson({ out }: Io, value: unknown): Promise<void> {
  await out.write(jsonLine(value))
}

/** A note on stderr, which a pipe doesn't receive. */
export async function remark({ err }: Io, text: string): Promise<void> {
  await err.write(`${safe(text)}\n`)
}
