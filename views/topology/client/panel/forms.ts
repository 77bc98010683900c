// The forms that act on a service: on the one in the panel, or on one that is chosen in them.
import { say } from '../dom.ts'
import { byId, type Graph, type Service } from '../graph.ts'

/** What the ids of Weir's own parts begin with: that Weir follows a service makes it no less of an entry. */
const OWN_PREFIX = 'weir:'

export class Forms {
  readonly #item = byId<HTMLSelectElement>('activate-item')
  readonly #service = byId<HTMLSelectElement>('request-service')
  #hasChosen = false
  #chosen: string | undefined

  constructor() {
    this.#service.addEventListener('change', () => {
      this.#hasChosen = true
      this.#name()
    })
  }

  /** @param chosen Id of the service in the panel. */
  show({ services, calls }: Graph, chosen: string | undefined): void {
    const reachable = services.filter(({ url }) => url !== undefined)
    offer(this.#item, services)
    offer(this.#service, reachable)
    const called = new Set(calls.filter(({ from }) => !from.startsWith(OWN_PREFIX)).map(({ to }) => to))
    const entry = reachable.find(({ id }) => !called.has(id))
    const isOther = chosen !== this.#chosen
    this.#chosen = chosen
    if (chosen !== undefined && isOther) {
      this.#item.value = chosen
      this.#service.value = chosen
      for (const id of ['request-answer', 'activate-answer']) byId(id).replaceChildren()
    } else if (chosen === undefined && !this.#hasChosen && entry !== undefined) this.#service.value = entry.id
    this.#enable(chosen === undefined ? reachable.length > 0 : reachable.some(({ id }) => id === chosen))
  }

  #enable(canSend: boolean): void {
    this.#service.disabled = !canSend
    byId<HTMLButtonElement>('request-button').disabled = !canSend
    byId('request-hint').hidden = canSend
    this.#name()
  }

  #name(): void {
    say(byId('request-through'), this.#service.selectedOptions[0]?.text ?? 'a service')
  }
}

/** Makes the services the options of a select, keeps what is selected, and leaves a list that is open alone. */
function offer(select: HTMLSelectElement, services: readonly Service[]): void {
  const { options } = select
  const isSame =
    options.length === services.length &&
    services.every(({ id, name }, index) => options[index]?.value === id && options[index]?.text === name)
  if (isSame) return
  const selected = select.value
  select.replaceChildren(...services.map(({ id, name }) => new Option(name, id, false, id === selected)))
}
