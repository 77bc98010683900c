// The topology page: follows the graph and keeps picture, list and forms in step with it.
import { byId, type Call, FIRST_ERROR_STATUS, type Graph, type Service } from './topology-graph.ts'
import { Picture } from './topology-picture.ts'

/** After the server refused the stream for good; before that, EventSource reconnects by itself. */
const RECREATE_MS = 3_000

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

follow(new Page())
