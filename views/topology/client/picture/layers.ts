// Columns for graphs with many edges: how far each node is from where calls begin.
import type { Line } from './layout.ts'

/**
 * The column of each of so many nodes: one behind the last of those that call it, where a call that closes a circle
 * doesn't count. Nodes of one column don't call each other but in circles.
 */
export function layersOf(count: number, lines: readonly Line[]): number[] {
  const callees = Array.from({ length: count }, (): number[] => [])
  for (const { from, to } of lines) if (from !== to) callees[from]?.push(to)
  const called = new Set(lines.map(({ to }) => to))
  const starts = [...callees.keys()].sort((a, b) => Number(called.has(a)) - Number(called.has(b)) || a - b)
  const { order, closing } = walk(starts, callees)
  const layers = new Array<number>(count).fill(0)
  for (const from of order) {
    for (const to of callees[from] ?? []) {
      if (!closing.has(`${from} ${to}`)) layers[to] = Math.max(layers[to] ?? 0, (layers[from] ?? 0) + 1)
    }
  }
  return layers
}

/** Callers before whom they call, and the calls that close a circle; without recursion, which a long chain breaks. */
function walk(starts: readonly number[], callees: readonly (readonly number[])[]) {
  const states = new Map<number, 'open' | 'done'>()
  const finished: number[] = []
  const closing = new Set<string>()
  for (const start of starts) {
    if (states.has(start)) continue
    const path = [{ node: start, next: 0 }]
    states.set(start, 'open')
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const to = callees[step.node]?.[step.next++]
      if (to === undefined) {
        states.set(step.node, 'done')
        finished.push(step.node)
        path.pop()
      } else if (states.get(to) === 'open') closing.add(`${step.node} ${to}`)
      else if (!states.has(to)) {
        states.set(to, 'open')
        path.push({ node: to, next: 0 })
      }
    }
  }
  return { order: finished.reverse(), closing }
}
