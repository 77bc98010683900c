/**
 * The line, from 1, at which a path such as `services[3].latencyMs.p50` stands in a YAML text, or that of the closest
 * thing above it that stands on a line of its own. Knows block style: what stands in braces is found where it begins.
 */
export function lineOf(text: string, path: string): number | undefined {
  const lines = text.split('\n')
  let block: Block = { from: 0, to: lines.length }
  let found: number | undefined
  for (const [, field, position] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    const starts = startsIn(lines, block, position !== undefined)
    const at =
      position === undefined
        ? starts.find((line) => keyOf(lines[line] ?? '') === field)
        : starts[Number(position)]
    if (at === undefined) break
    found = at + 1
    block = inside(lines, at, { starts, block, isItem: position !== undefined })
  }
  return found
}

/** Lines, from 0, `to` not included. `first`: where the first line's text begins, behind the `-` of an item. */
interface Block {
  from: number
  to: number
  first?: number
}

/** The lines at which the block's own items or fields begin. */
function startsIn(lines: string[], { from, to, first }: Block, items: boolean): number[] {
  const indents = lines
    .slice(from, to)
    .map((line, at) => (at === 0 && first !== undefined ? first : indentOf(line)))
  const indent = Math.min(...indents.filter((each) => each !== undefined))
  return indents.flatMap((each, at) => {
    if (each !== indent) return []
    const isItem = /^-(\s|$)/.test((lines[from + at] ?? '').slice(each))
    return isItem === items ? [from + at] : []
  })
}

function inside(
  lines: string[],
  at: number,
  { starts, block, isItem }: { starts: number[]; block: Block; isItem: boolean },
): Block {
  const to = starts.find((line) => line > at) ?? block.to
  if (!isItem) return { from: at + 1, to }
  const dash = /^\s*-\s*/.exec(lines[at] ?? '')?.[0].length ?? 0
  return { from: at, to, first: dash }
}

/** Undefined for a line that says nothing. */
function indentOf(line: string): number | undefined {
  return /^\s*(#|$|---)/.test(line) ? undefined : line.search(/\S/)
}

function keyOf(line: string): string | undefined {
  return /^\s*(?:-\s+)?["']?([^"':]+)["']?\s*:/.exec(line)?.[1]
}
