// A picture on the page, updated in place without a new layout.

import { edgeKey } from '../edge-key.ts'
import type { Call, DrawnService } from '../graph.ts'
import { isIdle } from '../view.ts'
import type { Extent, Point } from './layout.ts'
import { describe, SVG, textColorOn, writeBadge, writeNumbers } from './marks.ts'
import type { Scene, Sketch } from './renderer.ts'
import { callWords, hasFailed, healthOf, isUnseen, numbersOf, serviceWords, widthOf } from './words.ts'

/** Edges that flash at once; more would be a flicker, and slow. */
const MAX_FLASHES = 100
/** Maximum number of calls named in the picture's label; the rest are counted. */
const MAX_SPOKEN_CALLS = 50

export interface Node extends Point, Extent {
  id: string
  element: SVGGElement
  /** What was shown last. */
  shown: string
}

interface Edge {
  call: Call
  path: SVGPathElement
  numbers: SVGTextElement
  shown: string
}

export class Drawing implements Extent {
  readonly svg: SVGSVGElement
  readonly content: SVGGElement
  readonly width: number
  readonly height: number
  /** From left to right and from top to bottom. */
  readonly nodes: readonly Node[]
  readonly #nodes: ReadonlyMap<string, Node>
  readonly #edges = new Map<string, Edge>()
  readonly #owners = new Map<Element, Node | Edge>()
  readonly #textColors = new Map<string, string>()

  constructor(sketch: Sketch, { services, calls }: Scene) {
    const { svg, placement } = sketch
    this.svg = svg
    this.width = placement.width
    this.height = placement.height
    this.content = svg.querySelector<SVGGElement>('g.root') as SVGGElement
    this.nodes = services
      .map((service, at) => nodeOf(service, at, sketch))
      .sort((a, b) => a.x - b.x || a.y - b.y)
    this.#nodes = new Map(this.nodes.map((node) => [node.id, node]))
    this.nodes[0]?.element.parentElement?.append(...this.nodes.map(({ element }) => element))
    for (const node of this.nodes) this.#owners.set(node.element, node)
    this.#addEdges(calls, sketch)
    svg.setAttribute('role', 'group')
    svg.classList.toggle('dense', placement.isCurved)
    this.makeReachable(this.nodes[0])
  }

  node(id: string | undefined): Node | undefined {
    return id === undefined ? undefined : this.#nodes.get(id)
  }

  /** The node or call that an element belongs to. */
  at(target: EventTarget | null): { node?: Node; call?: Call } {
    const element = target instanceof Element ? target.closest('g.node, path[data-id], text.numbers') : null
    const owner = element === null ? undefined : this.#owners.get(element)
    if (owner === undefined) return {}
    return 'call' in owner ? { call: owner.call } : { node: owner }
  }

  /** Updates colors, statuses, numbers and lines; changes only what differs. */
  update({ services, calls }: Scene): void {
    const names = new Map(services.map(({ id, name }) => [id, name]))
    const nameOf = (id: string) => names.get(id) ?? id
    this.#paint(services.filter((service) => this.#describe(service)))
    for (const call of calls) this.#updateEdge(call, nameOf)
    const spoken = calls.slice(0, MAX_SPOKEN_CALLS).map(({ from, to }) => `${from} calls ${to}`)
    const label = [`${services.length} services, ${calls.length} calls`, ...spoken].join('; ')
    if (this.svg.ariaLabel !== label) this.svg.ariaLabel = label
  }

  /** Flashes the edges of these calls once. */
  pulse(calls: readonly Call[]): void {
    const paths = calls
      .map((call) => this.#edges.get(edgeKey(call))?.path)
      .filter((path) => path !== undefined)
      .slice(-MAX_FLASHES)
    for (const path of paths) path.classList.remove('called')
    // Reading the layout restarts the animations.
    paths[0]?.getBoundingClientRect()
    for (const path of paths) path.classList.add('called')
  }

  /** Highlights a node, its calls and its neighbors. */
  select(id: string | undefined): void {
    const chosen = this.node(id)
    const beside = new Set<string>()
    for (const { call, path, numbers } of this.#edges.values()) {
      const isBeside = chosen !== undefined && (call.from === id || call.to === id)
      for (const element of [path, numbers]) element.classList.toggle('beside', isBeside)
      if (isBeside) for (const end of [call.from, call.to]) beside.add(end)
    }
    for (const node of this.nodes) {
      node.element.classList.toggle('chosen', node === chosen)
      node.element.classList.toggle('beside', beside.has(node.id))
      node.element.ariaPressed = String(node === chosen)
    }
    this.svg.classList.toggle('has-choice', chosen !== undefined)
    if (chosen !== undefined) this.makeReachable(chosen)
  }

  /** Tab reaches one node; from there on the arrow keys go to others. */
  makeReachable(node: Node | undefined): void {
    this.svg.querySelector('g.node[tabindex="0"]')?.setAttribute('tabindex', '-1')
    node?.element.setAttribute('tabindex', '0')
  }

  /** The node that a key goes to: along a call and back, up and down through all, first and last. */
  next(node: Node, key: string): Node | undefined {
    const at = this.nodes.indexOf(node)
    switch (key) {
      case 'ArrowRight':
        return this.#neighbors('from', 'to', node)[0]
      case 'ArrowLeft':
        return this.#neighbors('to', 'from', node)[0]
      case 'ArrowDown':
        return this.nodes[at + 1]
      case 'ArrowUp':
        return this.nodes[at - 1]
      case 'Home':
        return this.nodes[0]
      case 'End':
        return this.nodes.at(-1)
    }
  }

  /** The node nearest to a point that another drawing has too. */
  nearest({ x, y }: Point, other: Drawing): Node | undefined {
    const far = (node: Node) => Math.hypot(node.x - x, node.y - y)
    return this.nodes
      .filter(({ id }) => other.node(id) !== undefined)
      .reduce<Node | undefined>((a, b) => (a === undefined || far(b) < far(a) ? b : a), undefined)
  }

  #neighbors(from: 'from' | 'to', to: 'from' | 'to', node: Node): Node[] {
    return [...this.#edges.values()]
      .filter(({ call }) => call[from] === node.id)
      .map(({ call }) => this.node(call[to]))
      .filter((other) => other !== undefined && other !== node) as Node[]
  }

  #addEdges(calls: readonly Call[], { edges, placement }: Sketch): void {
    const layer = document.createElementNS(SVG, 'g')
    layer.ariaHidden = 'true'
    for (const [at, call] of calls.entries()) {
      const path = edges[at] as SVGPathElement
      const numbers = document.createElementNS(SVG, 'text')
      const { x, y } = placement.numbers[at] ?? { x: 0, y: 0 }
      numbers.setAttribute('class', 'numbers')
      numbers.setAttribute('transform', `translate(${x}, ${y})`)
      // The drawn points are no longer needed, and there are many.
      path.removeAttribute('data-points')
      layer.append(numbers)
      const edge: Edge = { call, path, numbers, shown: '' }
      this.#edges.set(edgeKey(call), edge)
      this.#owners.set(path, edge).set(numbers, edge)
    }
    this.content.querySelector('.edgePaths')?.after(layer)
  }

  #updateEdge(call: Call, nameOf: (id: string) => string): void {
    const edge = this.#edges.get(edgeKey(call))
    if (edge === undefined) return
    const words = callWords(call, nameOf)
    const shown = `${words}\n${call.lastStatus}`
    edge.call = call
    if (edge.shown === shown) return
    edge.shown = shown
    const { path, numbers } = edge
    path.style.setProperty('--width', `${widthOf(call)}px`)
    path.dataset.health = healthOf(call)
    path.classList.toggle('failed', hasFailed(call))
    path.classList.toggle('unseen', isUnseen(call))
    for (const element of [path, numbers]) element.classList.toggle('idle', isIdle(call))
    describe(path, words)
    writeNumbers(numbers, numbersOf(call))
  }

  /** Whether the node is out of date. */
  #describe(service: DrawnService): boolean {
    const node = this.#nodes.get(service.id)
    const words = serviceWords(service)
    if (node === undefined || node.shown === words) return false
    node.shown = words
    node.element.dataset.kind = service.kind
    describe(node.element, words)
    writeBadge(node, service)
    return true
  }

  /** Writes all styles before reading any: each read in between would cost a layout. */
  #paint(services: readonly DrawnService[]): void {
    const painted = services.map(({ id, color }) => {
      const element = this.#nodes.get(id)?.element
      const shapes = [
        ...(element?.querySelectorAll<SVGElement>('.label-container, .label-container *') ?? []),
      ]
      // Mermaid's own styles are inline and important.
      for (const shape of shapes) shape.style.setProperty('fill', color, 'important')
      return { element, shape: shapes[0], color }
    })
    for (const { shape, color } of painted) {
      if (shape && !this.#textColors.has(color)) {
        this.#textColors.set(color, textColorOn(getComputedStyle(shape).fill))
      }
    }
    for (const { element, color } of painted) {
      element?.style.setProperty('--ink', this.#textColors.get(color) ?? '')
      for (const label of element?.querySelectorAll<HTMLElement>('.label, .label div, .nodeLabel') ?? []) {
        label.style.setProperty('color', this.#textColors.get(color) ?? '', 'important')
      }
    }
  }
}

function nodeOf({ id }: DrawnService, at: number, { nodes, placement }: Sketch): Node {
  const element = nodes[at] as SVGGElement
  element.setAttribute('role', 'button')
  element.setAttribute('tabindex', '-1')
  const { x, y } = placement.boxes[at] ?? { x: 0, y: 0 }
  const { width, height } = placement.sizes[at] ?? { width: 0, height: 0 }
  return { id, element, shown: '', x, y, width, height }
}
