import { cut, widthOf } from './text.ts'

export interface Column {
  title: string
  /** Shrinks if the table is too wide. */
  shrinks?: boolean
  alignRight?: boolean
}

/** Text that is already escaped, and its style, applied after cutting and padding. */
export interface Cell {
  text: string
  paint?: (text: string) => string
}

const GAP = '  '
/** Minimum width of a shrinking column, in terminal columns. */
const LEAST = 6

/** Rows under their titles; with `columns`, no line is wider than that. */
export function table(
  columns: readonly Column[],
  rows: readonly Cell[][],
  width: number | undefined,
): string {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((most, row) => Math.max(most, widthOf(row[index]?.text ?? '')), title.length),
  )
  if (width !== undefined) shrink(columns, widths, width)
  const titles = columns.map(({ title }) => ({ text: title }))
  return [titles, ...rows].map((row) => `${line(columns, row, widths, width)}\n`).join('')
}

/** Shrinks the widest of the columns that can, until all fit or none can shrink further. */
function shrink(columns: readonly Column[], widths: number[], width: number): void {
  const gaps = GAP.length * (columns.length - 1)
  for (let over = widths.reduce((sum, each) => sum + each, gaps) - width; over > 0; over--) {
    const [widest] = columns
      .map(({ shrinks }, index) => ({ index, width: shrinks ? (widths[index] as number) : 0 }))
      .sort((a, b) => b.width - a.width)
    if (widest === undefined || widest.width <= LEAST) return
    widths[widest.index] = widest.width - 1
  }
}

function line(
  columns: readonly Column[],
  row: readonly Cell[],
  widths: readonly number[],
  width = Number.POSITIVE_INFINITY,
): string {
  let left = width
  const cells = columns.flatMap(({ alignRight }, index) => {
    const room = Math.min(widths[index] as number, left)
    left -= room + GAP.length
    if (room <= 0) return []
    const { text = '', paint = (same: string) => same } = row[index] ?? {}
    const shown = cut(text, room)
    const pad = ' '.repeat(Math.max(0, room - widthOf(shown)))
    const isLast = index === columns.length - 1
    return alignRight ? pad + paint(shown) : paint(shown) + (isLast ? '' : pad)
  })
  return cells.join(GAP).trimEnd()
}
