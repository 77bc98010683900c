/** The candidate most similar to a mistyped text; `undefined` if none is similar. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const near = Math.max(1, Math.floor(text.length / 3))
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(text, candidate) }))
    .filter(({ candidate, edits }) => edits <= near || (text.length > 2 && candidate.startsWith(text)))
    .sort((a, b) => a.edits - b.edits)
  return best?.candidate
}

/** Insertions, deletions, replacements and swaps of neighbors between two texts. */
function distance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? (beforeLast[j - 2] as number) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(replaced, swapped, (last[j] as number) + 1, (row[j - 1] as number) + 1))
    }
    beforeLast = last
    last = row
  }
  return last[b.length] as number
}
