import { styleText } from 'node:util'
import type { Finding } from '../core/findings.ts'
import { span } from '../core/judging/verdict.ts'
import type { Io, Output } from './command.ts'
import { jsonLine, safe } from './text.ts'

type Style = Parameters<typeof styleText>[0]

const VERDICT_STYLES: Record<string, Style> = {
  live: 'green',
  quiet: 'cyan',
  stalled: ['bold', 'yellow'],
  'backing-off': 'yellow',
  dead: ['bold', 'red'],
  stopped: 'dim',
}

/** Colors a status, if colors are enabled. */
export function verdictPaint({ colours }: Output, verdict: string): (text: string) => string {
  return painter(colours, VERDICT_STYLES[verdict])
}

export function findingPaint({ colours }: Output, status: Finding['status']): (text: string) => string {
  return painter(colours, status === 'ok' ? 'green' : status === 'warning' ? 'yellow' : ['bold', 'red'])
}

export function dimmed({ colours }: Output): (text: string) => string {
  return painter(colours, 'dim')
}

function painter(colours: boolean, style: Style | undefined): (text: string) => string {
  if (!colours || style === undefined) return (text) => text
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

/** One JSON value per line, for scripts. */
export async function sayJson({ out }: Io, value: unknown): Promise<void> {
  await out.write(jsonLine(value))
}

/** A note on stderr, which a pipe doesn't receive. */
export async function remark({ err }: Io, text: string): Promise<void> {
  await err.write(`${safe(text)}\n`)
}
