// Mermaid draws the picture; where things go comes from the layout worker.
import type { InternalHelpers, LayoutData, Mermaid, MermaidConfig, SVG } from 'mermaid'
import type { Call, Service, ServiceKind } from '../graph.ts'
import { type Direction, Layout, type Placement } from './layout.ts'

const MERMAID = new URL('../../../../mermaid/mermaid.esm.min.mjs', import.meta.url).href
const LAYOUT = 'weir'
/** How long drawing keeps the page from answering at a time, in milliseconds. */
const SLICE_MS = 12
const CONFIG: MermaidConfig = {
  startOnLoad: false,
  suppressErrorRendering: true,
  securityLevel: 'strict',
  layout: LAYOUT,
  look: 'classic',
  theme: 'base',
  themeVariables: { fontFamily: 'monospace' },
  flowchart: { minNodeWidth: 64, wrappingWidth: 200, padding: 10 },
  // Enough for all that is drawn, with the longest names.
  maxEdges: 10_000,
  maxTextSize: 10_000_000,
}
/** What Mermaid draws a kind as: what stands around the label. */
const SHAPES: Record<ServiceKind, readonly [string, string]> = {
  service: ['[', ']'],
  database: ['[(', ')]'],
  queue: ['[[', ']]'],
  host: ['{{', '}}'],
  streams: ['([', '])'],
  proxy: ['[/', '\\]'],
  subscribers: ['(', ')'],
  channel: ['>', ']'],
  archive: ['[(', ')]'],
  rest: ['[', ']'],
}

export interface View {
  services: readonly Service[]
  calls: readonly Call[]
}

/** A drawing that isn't on the page yet. */
export interface Sketch {
  svg: SVGSVGElement
  /** Of services and calls, in their order. */
  nodes: SVGGElement[]
  edges: SVGPathElement[]
  placement: Placement
}

/** Draws one view at a time, off screen. */
export class Renderer {
  readonly #layout = new Layout()
  readonly #workshop = document.body.appendChild(document.createElement('div'))
  #mermaid: Promise<Mermaid> | undefined
  #placement: Placement | undefined
  #drawings = 0

  constructor() {
    this.#workshop.className = 'workshop'
    this.#workshop.ariaHidden = 'true'
  }

  /** Throws when Mermaid can't be loaded, or the layout fails. */
  async draw(view: View, direction: Direction): Promise<Sketch> {
    this.#layout.prepare()
    const mermaid = await this.#load()
    // A fresh id: drawing under one that is shown deletes what is shown.
    const id = `topology-${++this.#drawings}`
    try {
      const { svg: text } = await mermaid.render(id, textOf(view, direction), this.#workshop)
      await nextTask()
      const svg = parseSvg(text)
      const nodes = [...svg.querySelectorAll<SVGGElement>('g.node')]
      const edges = [...svg.querySelectorAll<SVGPathElement>('path[data-id]')]
      if (nodes.length !== view.services.length || edges.length !== view.calls.length) {
        throw new Error('not everything in it was drawn.')
      }
      return { svg, nodes, edges, placement: this.#placement as Placement }
    } finally {
      this.#workshop.replaceChildren()
    }
  }

  async #load(): Promise<Mermaid> {
    this.#mermaid ??= import(MERMAID).then(({ default: mermaid }: { default: Mermaid }) => {
      mermaid.registerLayoutLoaders([
        {
          name: LAYOUT,
          loader: async () => ({ render: (data, svg, helpers) => this.#layOut(data, svg, helpers) }),
        },
      ])
      mermaid.initialize(CONFIG)
      return mermaid
    })
    try {
      return await this.#mermaid
    } catch (error) {
      this.#mermaid = undefined
      throw error
    }
  }

  /** What Mermaid calls a layout algorithm: measures nodes, places all, draws edges. */
  async #layOut(data: LayoutData, svg: SVG, helpers: InternalHelpers): Promise<void> {
    const element = svg.select<SVGGElement>('g')
    helpers.insertMarkers(element, data.markers, data.type, data.diagramId)
    const root = element.insert('g').attr('class', 'root')
    const paths = root.insert('g').attr('class', 'edgePaths')
    const nodes = root.insert('g').attr('class', 'nodes')
    const drawn = await inSlices(data.nodes, async (node) => {
      const options = { config: data.config, dir: data.direction }
      return await helpers.insertNode(nodes as never, node as never, options as never)
    })
    const places = new Map(data.nodes.map(({ id }, at) => [id, at]))
    const placement = await this.#layout.place(
      data.nodes.map(({ width = 0, height = 0 }) => ({ width, height })),
      data.edges.map(({ start = '', end = '' }) => ({
        from: places.get(start) ?? 0,
        to: places.get(end) ?? 0,
      })),
      data.direction === 'TB' ? 'DOWN' : 'RIGHT',
    )
    const bump = data.direction === 'TB' ? 'bumpY' : 'bumpX'
    for (const [at, node] of data.nodes.entries()) {
      const { x, y } = placement.boxes[at] ?? { x: 0, y: 0 }
      Object.assign(node, { x, y })
      drawn[at]?.attr('transform', `translate(${x}, ${y})`)
    }
    await inSlices(data.edges, (edge, at) => {
      const [start, end] = [edge.start, edge.end].map((id) => data.nodes[places.get(id ?? '') ?? 0])
      const points = placement.lines[at] ?? []
      const curve = placement.isCurved ? (points.length > 2 ? 'basis' : bump) : 'rounded'
      const line = { ...edge, points, curve }
      helpers.insertEdge(paths, line, {}, data.type, start, end, data.diagramId, true)
    })
    this.#placement = placement
  }
}

/** A view as a Mermaid flowchart; whatever the names hold, it has a line a service and a line a call. */
export function textOf({ services, calls }: View, direction: Direction): string {
  const nodeOf = new Map(services.map(({ id, node }) => [id, node]))
  return [
    direction === 'DOWN' ? 'flowchart TB' : 'flowchart LR',
    ...services.map(({ node, name, kind }) => `${node}${SHAPES[kind].join(`"${label(name)}"`)}`),
    ...calls.map(({ from, to }) => `${nodeOf.get(from)} --> ${nodeOf.get(to)}`),
  ].join('\n')
}

/** As `src/core/graph.ts` writes a label, which says why. */
function label(name: string): string {
  return name
    .replace(/\uFB02(?=\u00B0)|\u00B6(?=\u00DF)/g, '$&\u2060')
    .replace(/\W/gu, (char) => `#${char.codePointAt(0)};`)
}

/** Mermaid's drawing without its own size: the picture pans and zooms it. */
function parseSvg(text: string): SVGSVGElement {
  const template = document.createElement('template')
  template.innerHTML = text
  const svg = template.content.firstElementChild as SVGSVGElement
  for (const name of ['viewBox', 'width', 'height', 'style', 'aria-roledescription'])
    svg.removeAttribute(name)
  return svg
}

async function inSlices<Item, Result>(
  items: readonly Item[],
  act: (item: Item, at: number) => Promise<Result> | Result,
): Promise<Result[]> {
  const results: Result[] = []
  let since = performance.now()
  for (const [at, item] of items.entries()) {
    results.push(await act(item, at))
    if (performance.now() - since < SLICE_MS) continue
    await nextTask()
    since = performance.now()
  }
  return results
}

/** Lets the page answer what waits. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
}
