// The services as a table, one row each: for those who can't see the picture, and to choose one by name.
import { date, part, say } from './dom.ts'
import { byId, type Call, FIRST_ERROR_STATUS, type Graph, type Service } from './graph.ts'
import { recentWords } from './panel/words.ts'
import { summedRecent } from './view.ts'
import { outcomeWords, verdictWords } from './words.ts'

/** What the table shows of the graph; rows whose service and last call are the same objects as before stay as they are. */
export class List {
  readonly #body = byId('services')
  readonly #template = byId<HTMLTemplateElement>('service-row')
  readonly #rows = new Map<string, Row>()

  constructor(on: { select(id: string): void }) {
    for (const element of this.#body.querySelectorAll<HTMLElement>('[data-service]')) {
      this.#rows.set(element.dataset.service ?? '', { element })
    }
    this.#body.addEventListener('click', ({ target }) => {
      const row =
        (target as Element).closest('button') && (target as Element).closest<HTMLElement>('[data-service]')
      if (row) on.select(row.dataset.service ?? '')
    })
  }

  /** Shows the services that fit. Of the past no last calls are kept. */
  show(graph: Graph, isPast: boolean, fits: (service: Service) => boolean): void {
    const last = lastCalls(graph.calls)
    const recent = recentCalls(graph.calls)
    const names = new Map(graph.services.map(({ id, name }) => [id, name]))
    const nameOf = (id: string) => names.get(id) ?? id
    for (const service of graph.services) {
      const row = this.#rowOf(service.id)
      row.element.hidden = !fits(service)
      if (row.service !== service) paint(row.element, service)
      const call = last.get(service.id)
      if (row.call !== call || row.isPast !== isPast) {
        tell(row.element, service.id, call, nameOf)
        if (isPast && call === undefined) say(part(row.element, 'call'), 'not kept')
      }
      say(part(row.element, 'recent'), recent.get(service.id) ?? 'idle')
      Object.assign(row, { service, call, isPast })
    }
    for (const [id, { element }] of this.#rows) {
      if (names.has(id)) continue
      element.remove()
      this.#rows.delete(id)
    }
  }

  #rowOf(id: string): Row {
    const known = this.#rows.get(id)
    if (known !== undefined) return known
    const element = (this.#template.content.cloneNode(true) as DocumentFragment)
      .firstElementChild as HTMLElement
    element.dataset.service = id
    this.#body.append(element)
    const row = { element }
    this.#rows.set(id, row)
    return row
  }
}

interface Row {
  element: HTMLElement
  service?: Service
  call?: Call
  isPast?: boolean
}

function paint(row: HTMLElement, { name, colour, verdict, reason }: Service): void {
  say(part(row, 'label'), name)
  say(part(row, 'colour'), colour)
  part(row, 'swatch').style.background = colour
  const badge = part(row, 'verdict')
  badge.className = `verdict ${verdict ?? ''}`
  badge.title = reason ?? ''
  say(badge, verdict === undefined ? '' : verdictWords(verdict))
}

function tell(row: HTMLElement, id: string, call: Call | undefined, nameOf: (id: string) => string): void {
  const text = part(row, 'call')
  say(text, call === undefined ? 'none yet' : outcomeWords(call, id, nameOf))
  text.classList.toggle('error', (call?.lastStatus ?? 0) >= FIRST_ERROR_STATUS)
  if (call?.calledAt !== undefined) date(part(row, 'time'), new Date(call.calledAt))
  else part(row, 'time').replaceChildren()
}

/** How calls to each service went of late; calls of it where nobody calls it. */
function recentCalls(calls: readonly Call[]): Map<string, string> {
  const busy = calls.filter(({ recent }) => recent !== undefined)
  const words = (bundle: readonly Call[]) =>
    recentWords(summedRecent(bundle.flatMap(({ recent }) => recent ?? [])))
  const by = (end: 'from' | 'to') =>
    [...Map.groupBy(end === 'to' ? calls : busy, (call) => call[end])].map(
      ([id, bundle]) => [id, words(bundle)] as const,
    )
  return new Map([...by('from'), ...by('to')])
}

/** Each service's last call, as caller or as called. */
function lastCalls(calls: readonly Call[]): Map<string, Call> {
  const last = new Map<string, Call>()
  for (const call of calls) {
    if (call.calledAt === undefined) continue
    for (const id of [call.from, call.to]) {
      if (call.calledAt >= (last.get(id)?.calledAt ?? '')) last.set(id, call)
    }
  }
  return last
}
