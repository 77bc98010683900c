/** The key of an edge in a map. */
export function edgeKey({ from, to }: { from: string; to: string }): string {
  return JSON.stringify([from, to])
}
