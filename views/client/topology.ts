// The topology page: follows the graph and keeps picture, list and forms in step with it.
import type { Mermaid, MermaidConfig } from 'mermaid'

interface Service {
  id: string
  name: string
  url?: string
  colour: string
  /** Its id in the Mermaid text. */
  node: string
}

interface Call {
  from: string
  to: string
  count: number
  errors: number
  lastStatus?: number
  lastDurationMs?: number
  calledAt?: string
}

interface Graph {
  services: Service[]
  calls: Call[]
}

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
/** After the server refused the stream for good; before that, EventSource reconnects by itself. */
const RECREATE_MS = 3_000
const REDRAW_MS = 2_000
/** How far a small graph is enlarged, and how far a wide one is shrunk before its container scrolls. */
const MAX_SCALE = 1.7
const MIN_SCALE = 0.8
/** Calls the picture's label names; the rest is only counted. */
const MAX_SPOKEN_CALLS = 50
const FIRST_ERROR_STATUS = 400
/** Relative luminance on which #111 and white contrast equally. */
const EVEN_LUMINANCE = 0.192

/** The diagram. Its shape is drawn by Mermaid; colours and calls are changed in the drawing that is there. */
class Picture {
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

/** The services as a table, one row each. */
class List {
  readonly #body = byId('services')
  readonly #template = byId<HTMLTemplateElement>('service-row')
  readonly #rows = new Map<string, HTMLElement>()

  show(graph: Graph): void {
    this.#rows.clear()
    for (const row of this.#body.querySelectorAll<HTMLElement>('[data-service]')) {
      this.#rows.set(row.dataset.service ?? '', row)
    }
    for (const service of graph.services) {
      if (!this.#rows.has(service.id)) this.#add(service.id)
      this.paint(service)
      this.tell(service.id, graph)
    }
    const known = new Set(graph.services.map(({ id }) => id))
    for (const [id, row] of this.#rows) if (!known.has(id)) row.remove()
  }

  paint({ id, name, colour }: Service): void {
    const row = this.#rows.get(id)
    if (row === undefined) return
    part(row, 'name').textContent = name
    part(row, 'colour').textContent = colour
    part(row, 'swatch').style.background = colour
  }

  /** Tells the service's last call, in the words that the server uses for the first page. */
  tell(id: string, { services, calls }: Graph): void {
    const row = this.#rows.get(id)
    const last = calls
      .filter(({ from, to, calledAt }) => calledAt !== undefined && (from === id || to === id))
      .reduce<Call | undefined>((a, b) => ((b.calledAt ?? '') >= (a?.calledAt ?? '') ? b : a), undefined)
    if (row === undefined) return
    const hasFailed = (last?.lastStatus ?? 0) >= FIRST_ERROR_STATUS
    part(row, 'call').textContent = last === undefined ? 'none yet' : outcome(last, id, services)
    part(row, 'call').classList.toggle('error', hasFailed)
    if (last?.calledAt !== undefined) date(part(row, 'time'), new Date(last.calledAt))
    else part(row, 'time').replaceChildren()
  }

  #add(id: string): void {
    const row = (this.#template.content.cloneNode(true) as DocumentFragment).firstElementChild as HTMLElement
    row.dataset.service = id
    this.#body.append(row)
    this.#rows.set(id, row)
  }
}

/** The forms' choices of services. */
class Forms {
  readonly #item = byId<HTMLSelectElement>('activate-item')
  readonly #service = byId<HTMLSelectElement>('request-service')
  #hasChosen = false

  constructor() {
    this.#service.addEventListener('change', () => {
      this.#hasChosen = true
      this.#name()
    })
  }

  show({ services, calls }: Graph): void {
    const reachable = services.filter(({ url }) => url !== undefined)
    offer(this.#item, services)
    offer(this.#service, reachable)
    const entry = reachable.find(({ id }) => !calls.some(({ to }) => to === id))
    if (!this.#hasChosen && entry !== undefined) this.#service.value = entry.id
    const isEmpty = reachable.length === 0
    this.#service.disabled = isEmpty
    byId<HTMLButtonElement>('request-button').disabled = isEmpty
    byId('request-hint').hidden = !isEmpty
    this.#name()
  }

  #name(): void {
    byId('request-through').textContent = this.#service.selectedOptions[0]?.text ?? 'a service'
  }
}

/** Everything on the page that shows the graph. */
class Page {
  readonly #parts = [new List(), new Picture(), new Forms()] as const
  #graph: Graph = { services: [], calls: [] }

  show(graph: Graph): void {
    this.#graph = graph
    const isEmpty = graph.services.length === 0
    byId('empty').hidden = !isEmpty
    byId('graph').hidden = isEmpty
    byId('service-count').textContent = String(graph.services.length)
    byId('call-count').textContent = String(graph.calls.length)
    for (const part of this.#parts) part.show(graph)
  }

  paint(change: Pick<Service, 'id' | 'colour'>): void {
    const service = this.#graph.services.find(({ id }) => id === change.id)
    if (service === undefined) return
    const [list, picture] = this.#parts
    Object.assign(service, change)
    list.paint(service)
    picture.paint(service)
  }

  count(change: Call): void {
    const call = this.#graph.calls.find(({ from, to }) => from === change.from && to === change.to)
    if (call === undefined) return
    const [list, picture] = this.#parts
    Object.assign(call, change)
    list.tell(call.from, this.#graph)
    list.tell(call.to, this.#graph)
    picture.pulse(call)
  }
}

function follow(page: Page): void {
  const feed = byId('feed')
  const say = (state: string, text: string) => {
    feed.hidden = false
    feed.dataset.state = state
    feed.textContent = text
  }
  const source = new EventSource('/api/topology/events')
  const on = <Data>(event: string, act: (data: Data) => void) =>
    source.addEventListener(event, ({ data }) => act(JSON.parse(data)))
  on<Graph>('graph', (graph) => page.show(graph))
  on<Service>('service', (change) => page.paint(change))
  on<Call>('call', (call) => page.count(call))
  source.addEventListener('open', () => say('live', 'Live'))
  source.addEventListener('error', () => {
    say('reconnecting', 'Reconnecting…')
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, RECREATE_MS, page)
  })
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

/** How a call ended, as one of its two services sees it. */
function outcome(
  { from, to, lastStatus = 0, lastDurationMs }: Call,
  id: string,
  services: Service[],
): string {
  const nameOf = (other: string) => services.find((service) => service.id === other)?.name ?? other
  const other = to === id ? `from ${nameOf(from)}` : `to ${nameOf(to)}`
  const failed = lastStatus >= FIRST_ERROR_STATUS ? ' failed' : ''
  const duration = lastDurationMs === undefined ? '' : ` in ${Math.round(lastDurationMs)} ms`
  return `${other}: ${lastStatus}${failed}${duration}`
}

function date(element: HTMLElement, time: Date): void {
  element.setAttribute('datetime', time.toISOString())
  element.title = time.toLocaleString()
  element.textContent = time.toLocaleTimeString()
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

/** Makes the services the options of a select, keeps what is selected, and leaves a list that is open alone. */
function offer(select: HTMLSelectElement, services: readonly Service[]): void {
  const offered = [...select.options].map(({ value, text }) => [value, text])
  if (JSON.stringify(offered) === JSON.stringify(services.map(({ id, name }) => [id, name]))) return
  const selected = select.value
  select.replaceChildren(...services.map(({ id, name }) => new Option(name, id, false, id === selected)))
}

function part(row: HTMLElement, name: string): HTMLElement {
  return row.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? row
}

function byId<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`There is no #${id} on this page.`)
  return element as Kind
}

follow(new Page())
