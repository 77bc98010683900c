import { styleText } from 'node:util'
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

/** Paints a verdict's word, where colours are wanted: the word says it all without. */
export function verdictPaint({ colours }: Output, verdict: string): (text: string) => string {
  return painter(colours, VERDICT_STYLES[verdict])
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

/** One value for scripts, in a line of its own. */
export async function sayJson({ out }: Io, value: unknown): Promise<void> {
  await out.write(jsonLine(value))
}

/** What is said beside the answer: on the other output, which a pipe doesn't take. */
export async function remark({ err }: Io, text: string): Promise<void> {
  await err.write(`${safe(text)}\n`)
}
