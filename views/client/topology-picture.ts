// The diagram of the topology page.
import type { Mermaid, MermaidConfig } from 'mermaid'
import { byId, type Call, FIRST_ERROR_STATUS, type Graph, type Service } from './topology-graph.ts'

const MERMAID = '/assets/mermaid/mermaid.esm.min.mjs'
/** The tab hangs while a layout is made: 2 s for this many, 25 s for 200 and 500. Larger graphs are only listed. */
const MAX_DRAWN_SERVICES = 200
const MAX_DRAWN_CALLS = 300
const MERMAID_CONFIG: MermaidConfig = {
  startOnLoad: false,
  securityLevel: 'strict',
  // ELK, the default, is 1.5 MB more to load.
  layout: 'dagre',
  look: 'classic',
  theme: 'base',
  themeVariables: {
    darkMode: true,
    background: '#0d0d0d',
    primaryColor: '#1a1a1a',
    primaryTextColor: '#00ffcc',
    primaryBorderColor: '#00ffcc',
    lineColor: '#ff00ff',
    fontFamily: 'monospace',
    tertiaryColor: '#0d0d0d',
    tertiaryBorderColor: '#00ffcc',
    tertiaryTextColor: '#ffffff',
  },
  flowchart: { minNodeWidth: 64, wrappingWidth: 200, nodeSpacing: 36, rankSpacing: 56 },
  // Enough for all that is drawn, with the longest names.
  maxEdges: MAX_DRAWN_CALLS,
  maxTextSize: 1_000_000,
}
const REDRAW_MS = 2_000
/** How far a small graph is enlarged, and how far a wide one is shrunk before its container scrolls. */
const MAX_SCALE = 1.7
const MIN_SCALE = 0.8
/** Calls the picture's label names; the rest is only counted. */
const MAX_SPOKEN_CALLS = 50
/** Relative luminance on which #111 and white contrast equally. */
const EVEN_LUMINANCE = 0.192

/** The diagram. Its shape is drawn by Mermaid; colours and calls are changed in the drawing that is there. */
export class Picture {
  readonly #panel = byId('picture')
  readonly #workshop = document.body.appendChild(document.createElement('div'))
  readonly #nodes = new Map<string, SVGGElement>()
  readonly #edges = new Map<string, SVGPathElement>()
  #mermaid: Promise<Mermaid> | undefined
  #graph: Graph = { services: [], calls: [] }
  #shape = shapeOf(this.#graph)
  #isDrawing = false
  #drawings = 0

  constructor() {
    this.#workshop.className = 'workshop'
    this.#workshop.ariaHidden = 'true'
    const source = byId('mermaid-source')
    source.closest('details')?.addEventListener('toggle', async () => {
      source.textContent = await diagramText()
    })
  }

  /** Draws the graph if its shape is new, otherwise brings the drawing up to date. */
  async show(graph: Graph): Promise<void> {
    this.#graph = graph
    if (this.#isDrawing) return
    this.#isDrawing = true
    const problem = byId('picture-error')
    try {
      // However many shapes arrive during one drawing, the next one draws the last of them.
      while (shapeOf(this.#graph) !== this.#shape) await this.#draw(this.#graph)
      this.#update()
      problem.hidden = true
    } catch (error) {
      problem.textContent = `The picture can't be drawn: ${error instanceof Error ? error.message : error}`
      problem.hidden = false
      setTimeout(() => this.show(this.#graph), REDRAW_MS)
    } finally {
      this.#isDrawing = false
    }
  }

  paint({ id, name, colour }: Service): void {
    const node = this.#nodes.get(id)
    const box = node?.querySelector<SVGElement>('.label-container')
    if (!node || !box) return
    // Mermaid's own styles are inline and important.
    box.style.setProperty('fill', colour, 'important')
    const textColour = textColourOn(getComputedStyle(box).fill)
    for (const label of node.querySelectorAll<HTMLElement>('.label, .label div, .nodeLabel')) {
      label.style.setProperty('color', textColour, 'important')
    }
    describe(node, `${name}: ${colour}`)
  }

  /** Marks the edge by the call's outcome. */
  mark(call: Call): SVGPathElement | undefined {
    const edge = this.#edges.get(edgeKey(call))
    if (edge === undefined || call.lastStatus === undefined) return edge
    edge.classList.toggle('failed', call.lastStatus >= FIRST_ERROR_STATUS)
    describe(edge, `${call.from} calls ${call.to}: ${call.count} calls, ${call.errors} failed`)
    return edge
  }

  /** Marks the edge and lets it flash once. */
  pulse(call: Call): void {
    const edge = this.mark(call)
    edge?.classList.remove('called')
    // Asking for the layout lets the animation start again.
    edge?.getBoundingClientRect()
    edge?.classList.add('called')
  }

  async #draw(graph: Graph): Promise<void> {
    const drawing = await this.#drawingOf(graph)
    this.#nodes.clear()
    this.#edges.clear()
    if (typeof drawing !== 'string') this.#collect(drawing, graph)
    this.#panel.replaceChildren(drawing)
    this.#shape = shapeOf(graph)
  }

  /** The graph drawn, or why it isn't. */
  async #drawingOf({ services, calls }: Graph): Promise<SVGSVGElement | string> {
    if (services.length === 0) return ''
    if (services.length > MAX_DRAWN_SERVICES || calls.length > MAX_DRAWN_CALLS) {
      return `${services.length} services and ${calls.length} calls are too many to draw.`
    }
    const mermaid = await this.#load()
    await new Promise(requestAnimationFrame)
    // A fresh id: drawing under one that is shown deletes what is shown.
    const id = `topology-${++this.#drawings}`
    const { svg } = await mermaid.render(id, await diagramText(), this.#workshop)
    return parseSvg(svg)
  }

  async #load(): Promise<Mermaid> {
    this.#mermaid ??= import(MERMAID).then(({ default: mermaid }: { default: Mermaid }) => {
      mermaid.initialize(MERMAID_CONFIG)
      return mermaid
    })
    try {
      return await this.#mermaid
    } catch (error) {
      this.#mermaid = undefined
      throw error
    }
  }

  #collect(drawing: SVGSVGElement, { services, calls }: Graph): void {
    for (const { id, node } of services) {
      const element = drawing.querySelector<SVGGElement>(`[id^="${drawing.id}-flowchart-${node}-"]`)
      if (element !== null) this.#nodes.set(id, element)
    }
    // `a --> b_c` and `a_b --> c` have the same data-id: edges with one data-id stand in the order of their calls.
    const edges = Map.groupBy(
      drawing.querySelectorAll<SVGPathElement>('path[data-id]'),
      (edge) => edge.dataset.id,
    )
    const nodeOf = new Map(services.map(({ id, node }) => [id, node]))
    for (const call of calls) {
      const edge = edges.get(`L_${nodeOf.get(call.from)}_${nodeOf.get(call.to)}_0`)?.shift()
      if (edge !== undefined) this.#edges.set(edgeKey(call), edge)
    }
  }

  #update(): void {
    const { services, calls } = this.#graph
    for (const service of services) this.paint(service)
    for (const call of calls) this.mark(call)
    const spoken = calls.slice(0, MAX_SPOKEN_CALLS).map(({ from, to }) => `${from} calls ${to}`)
    const label = [`${services.length} services, ${calls.length} calls`, ...spoken].join('; ')
    this.#panel.querySelector('svg')?.setAttribute('aria-label', label)
  }
}

async function diagramText(): Promise<string> {
  const response = await fetch('/diagram')
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const { diagram } = await response.json()
  return diagram
}

/** Mermaid's drawing, made to scale with the panel between readable and huge. */
function parseSvg(svg: string): SVGSVGElement {
  const template = document.createElement('template')
  template.innerHTML = svg
  const drawing = template.content.firstElementChild as SVGSVGElement
  const { width } = drawing.viewBox.baseVal
  drawing.style.maxWidth = `${width * MAX_SCALE}px`
  drawing.style.minWidth = `${width * MIN_SCALE}px`
  drawing.setAttribute('role', 'img')
  return drawing
}

/** What changes when the picture must be drawn anew. */
function shapeOf({ services, calls }: Graph): string {
  return JSON.stringify([services.map(({ id, name }) => [id, name]), calls.map(edgeKey)])
}

function edgeKey({ from, to }: { from: string; to: string }): string {
  return JSON.stringify([from, to])
}

/** Text that is shown while the pointer is on the element. */
function describe(element: SVGElement, text: string): void {
  const title =
    element.querySelector(':scope > title') ?? document.createElementNS(element.namespaceURI, 'title')
  title.textContent = text
  element.prepend(title)
}

function textColourOn(fill: string): string {
  const [red = 0, green = 0, blue = 0] = (fill.match(/[\d.]+/g) ?? []).map((channel) => {
    const part = Number(channel) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > EVEN_LUMINANCE ? '#111' : '#fff'
}
