import { join } from 'node:path'
import { PARSERS, type ParserName, plantsOf } from './targets.ts'

export const PARSER_NAMES: readonly string[] = Object.keys(PARSERS)

/** How many faults can be planted in a parser. */
export function plantCount(parser: string): number {
  return plantsOf(parser as ParserName).length
}

export interface Found {
  inputs: number
  /** Branches taken at least once. */
  reached: number
  /** The input, and the stack of what it threw. */
  crash?: { input: string; error: string }
}

/** Explores a parser in a process of its own: modules can be instrumented only before they are imported. */
export async function exploreApart(
  parser: string,
  { seed, seconds, inputs, plant }: { seed: number; seconds: number; inputs?: number; plant?: number },
): Promise<Found> {
  const given = Object.entries({ parser, seed, seconds, inputs, plant }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)],
  )
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'main.ts'), ...given], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const output = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`The exploration of ${parser} ended: ${output}`)
  return JSON.parse(output)
}
