// The choices above the picture: what is grouped, left out, and in focus.
import { keyed, make, say } from './dom.ts'
import { byId, type Graph } from './graph.ts'
import { DIRECTIONS, GROUPINGS, type State } from './state.ts'
import type { View } from './view.ts'

export interface ToolsOn {
  go(change: Partial<State>): void
}

export class Tools {
  readonly #grouping = byId<HTMLSelectElement>('grouping')
  readonly #hideIdle = byId<HTMLInputElement>('hide-idle')
  readonly #direction = byId<HTMLSelectElement>('focus-direction')
  readonly #steps = byId<HTMLSelectElement>('focus-steps')
  readonly #on: ToolsOn
  #open: readonly string[] = []

  constructor(on: ToolsOn) {
    this.#on = on
    this.#grouping.addEventListener('change', () => {
      const grouping = GROUPINGS.find((one) => one === this.#grouping.value) ?? 'none'
      on.go({ grouping, open: [], node: undefined, edge: undefined })
    })
    this.#hideIdle.addEventListener('change', () => on.go({ hideIdle: this.#hideIdle.checked }))
    this.#direction.addEventListener('change', () =>
      on.go({ direction: DIRECTIONS.find((one) => one === this.#direction.value) ?? 'both' }),
    )
    this.#steps.addEventListener('change', () => on.go({ steps: Number(this.#steps.value) }))
    byId('focus-off').addEventListener('click', () => on.go({ focus: undefined }))
  }

  show(state: State, graph: Graph, view: View): void {
    this.#open = state.open
    this.#grouping.value = state.grouping
    this.#hideIdle.checked = state.hideIdle
    this.#direction.value = state.direction
    this.#steps.value = String(state.steps)
    byId('focus-bar').hidden = state.focus === undefined
    const centre = [...view.services, ...graph.services].find(({ id }) => id === state.focus)
    say(byId('focus-name'), centre?.name ?? state.focus ?? '')
    this.#note(state, graph, view, centre !== undefined)
    keyed(byId('open-groups'), state.grouping === 'none' ? [] : state.open, {
      key: (key) => key,
      create: (key) => this.#openGroup(key),
      update: () => {},
    })
  }

  #openGroup(key: string): HTMLElement {
    const close = make('button', { type: 'button', textContent: `${key} ▾`, title: `Collapse ${key}` })
    close.addEventListener('click', () => this.#on.go({ open: this.#open.filter((one) => one !== key) }))
    return make('li', {}, close)
  }

  /** What isn't in the picture is said: nobody should miss a service without knowing why. */
  #note({ focus }: State, { services }: Graph, { hidden }: View, isCentreThere: boolean): void {
    const note = byId('view-note')
    const isLost = focus !== undefined && !isCentreThere && services.length > 0
    note.hidden = hidden === 0 && !isLost
    if (isLost) say(note, 'The service in focus is not there: everything is shown.')
    else if (hidden === services.length) say(note, 'All services are idle, and idle ones are hidden.')
    else say(note, `Not shown: ${hidden} of ${services.length} services.`)
  }
}
