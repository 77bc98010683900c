// The topology page: follows the graph, and keeps the URL, picture, panel and list in sync with it.
import { ask, say } from './dom.ts'
import { Feed, type FeedState } from './feed.ts'
import { byId, type Call, type DrawnGraph } from './graph.ts'
import { List } from './list.ts'
import { Forms } from './panel/forms.ts'
import { Panel } from './panel/panel.ts'
import { Picture } from './picture/picture.ts'
import { ReplayControls } from './replay.ts'
import { fits, Search } from './search.ts'
import { parseState, queryOf, type State } from './state.ts'
import { Toolbar } from './tools.ts'
import { groupKeyOf, type View, viewOf } from './view.ts'

const CONNECTION_WORDS: Record<FeedState, string> = {
  live: 'Live',
  reconnecting: 'Reconnecting…',
  offline: 'Offline: showing the last known state',
}

/** The parts of the page that show the graph; lives as long as the page. */
class Page {
  readonly #feed = new Feed({
    graph: () => this.#live([]),
    change: ({ joinedColors = 0 }, called) => {
      this.#sayJoined(joinedColors)
      this.#live(called)
    },
    connection: (state) => this.#sayConnection(state),
  })
  readonly #picture = new Picture(byId('picture'), {
    select: (id) => this.#pick(id),
    selectCall: ({ from, to }) => this.#chooseCall(from, to),
  })
  readonly #panel = new Panel({
    select: (id) => this.#choose(id),
    selectCall: (from, to) => this.#chooseCall(from, to),
    close: () => this.#choose(undefined),
    focus: (id) => this.#go({ focus: id }),
    toggleGroup: (key) => this.#toggleGroup(key),
  })
  readonly #search = new Search({
    type: (search) => this.#go({ search }, 'replace'),
    select: (id) => this.#choose(id),
  })
  readonly #tools = new Toolbar({ go: (change) => this.#go(change) })
  readonly #list = new List({ select: (id) => this.#choose(id) })
  readonly #forms = new Forms()
  readonly #replay = new ReplayControls({
    moment: (at, how) => this.#go({ at }, how === 'jump' ? 'push' : 'replace'),
    graph: (graph) => {
      this.#graph = graph
      return this.#show()
    },
  })
  #joinedColors = 0
  #state: State = parseState(location.search)
  #graph: DrawnGraph = { services: [], calls: [] }
  #view: View = viewOf(this.#graph, this.#state)
  /** Pending drawings; the service to reveal is there when they are done. */
  #drawings = 0
  #reveal: string | undefined = this.#state.node

  start(): void {
    for (const id of ['tools', 'replay']) byId(id).hidden = false
    window.addEventListener('popstate', () => this.#load())
    this.#load()
    this.#feed.follow()
  }

  /** Shows what the URL says, also after the back button. */
  #load(): void {
    const { at } = this.#state
    const { badAt, ...state } = parseState(location.search)
    const wasReplaying = at !== undefined || this.#replay.at !== undefined
    this.#state = state
    if (state.at !== undefined || badAt !== undefined || wasReplaying) {
      void this.#replay.seek(state.at, badAt)
    }
    if (state.at === undefined && wasReplaying) this.#graph = this.#feed.graph
    void this.#show()
  }

  #go(change: Partial<State>, how: 'push' | 'replace' = 'push'): void {
    const wasReplaying = this.#state.at !== undefined
    this.#state = { ...this.#state, ...change }
    const query = queryOf(this.#state)
    if (query !== location.search) {
      const address = `${location.pathname}${query}`
      if (how === 'push') history.pushState(null, '', address)
      else history.replaceState(null, '', address)
    }
    if (wasReplaying && this.#state.at === undefined) this.#graph = this.#feed.graph
    void this.#show()
  }

  /** During a replay, the live graph is kept up to date in the background. */
  #live(called: readonly Call[]): void {
    if (this.#state.at !== undefined) return
    this.#graph = this.#feed.graph
    void this.#show()
    const at = (id: string) => this.#view.drawnIn.get(id) ?? id
    const shown = called.map((call) => ({ ...call, from: at(call.from), to: at(call.to) }))
    if (shown.length > 0) this.#picture.pulse(shown)
  }

  /** A selection in the picture: expands a group. */
  #pick(id: string | undefined): void {
    const key = this.#view.services.find((service) => service.id === id)?.groupKey
    if (key === undefined) this.#choose(id)
    else this.#toggleGroup(key)
  }

  /** Selects a service, even one that isn't drawn: expands its group, and ends a focus that leaves it out. */
  #choose(id: string | undefined): void {
    const change: Partial<State> = { node: id, edge: undefined }
    const service = this.#graph.services.find((one) => one.id === id)
    if (service !== undefined && this.#view.drawnIn.has(service.id)) {
      change.open = [...this.#state.open, groupKeyOf(service, this.#state.grouping) ?? '']
    } else if (service !== undefined && !this.#view.services.some((one) => one.id === id))
      change.focus = undefined
    this.#reveal = id
    this.#go(change)
  }

  #chooseCall(from: string, to: string): void {
    this.#go({ edge: [from, to], node: undefined })
  }

  #toggleGroup(key: string): void {
    const isOpen = this.#state.open.includes(key)
    const open = isOpen ? this.#state.open.filter((one) => one !== key) : [...this.#state.open, key]
    this.#go({ open, node: undefined, edge: undefined })
  }

  #show(): Promise<void> {
    const { services, calls } = this.#graph
    const state = this.#state
    this.#view = viewOf(this.#graph, state)
    const isEmpty = services.length === 0 && state.at === undefined
    byId('empty').hidden = !isEmpty
    byId('graph').hidden = isEmpty
    say(byId('service-count'), String(services.length))
    say(byId('call-count'), String(calls.length))
    this.#search.show(services, state.search)
    this.#list.show(
      this.#graph,
      state.at !== undefined,
      (service) => state.search.trim() === '' || fits(service, state.search),
    )
    this.#tools.show(state, this.#graph, this.#view)
    this.#showChosen()
    return this.#draw()
  }

  #showChosen(): void {
    const { node, edge, grouping, open, at } = this.#state
    const names = new Map(this.#graph.services.map(({ id, name }) => [id, name]))
    for (const { id, name } of this.#view.services) names.set(id, name)
    const service = this.#view.services.find(({ id }) => id === node)
    const key = service && groupKeyOf(service, grouping)
    this.#panel.show({
      view: this.#view,
      service,
      call: edge && this.#view.calls.find(({ from, to }) => from === edge[0] && to === edge[1]),
      openGroup: key !== undefined && open.includes(key) && service?.members === undefined ? key : undefined,
      nameOf: (id) => names.get(id) ?? id,
      at,
    })
    this.#forms.show(this.#graph, service?.members === undefined ? service?.id : undefined)
  }

  async #draw(): Promise<void> {
    this.#drawings++
    this.#picture.select(this.#state.node)
    await this.#picture.show(this.#view)
    this.#drawings--
    if (this.#drawings > 0 || this.#reveal === undefined) return
    if (!this.#view.services.some(({ id }) => id === this.#reveal)) return
    this.#picture.reveal(this.#reveal)
    this.#reveal = undefined
  }

  #sayJoined(colors: number): void {
    if (colors === 0) return
    this.#joinedColors += colors
    const joined = byId('joined')
    joined.hidden = false
    say(joined, `${this.#joinedColors.toLocaleString('en')} colors were too short to show`)
  }

  #sayConnection(state: FeedState): void {
    const feed = byId('feed')
    feed.hidden = false
    feed.dataset.state = state
    say(feed, CONNECTION_WORDS[state])
  }
}

/** The source is long and seldom read, so it is loaded on demand. */
function followText(): void {
  const source = byId('mermaid-source')
  source.closest('details')?.addEventListener('toggle', () => void load())

  async function load(): Promise<void> {
    const { diagram } = await ask<{ diagram: string }>('/diagram').catch(({ message }) => ({
      diagram: message,
    }))
    say(source, diagram)
  }
}

followText()
new Page().start()
