// The search above the picture: a text field with the matching services below it.
import { keyed, make } from './dom.ts'
import { byId, type DrawnService } from './graph.ts'
import { kindWords } from './words.ts'

/** Maximum number of services listed; the rest are counted. */
const MAX_OFFERED = 10

/** Whether a service's name, ID or group contains the typed text. */
export function fits({ id, name, group }: DrawnService, search: string): boolean {
  const wanted = search.trim().toLowerCase()
  return [name, id, group].some((text) => text?.toLowerCase().includes(wanted))
}

export interface SearchOn {
  /** The typed text, at every key. */
  type(text: string): void
  select(id: string): void
}

/** A combobox. @see https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ */
export class Search {
  readonly #input = byId<HTMLInputElement>('search')
  readonly #list = byId('search-list')
  readonly #on: SearchOn
  #services: readonly DrawnService[] = []
  #found: readonly DrawnService[] = []
  #active = 0

  constructor(on: SearchOn) {
    this.#on = on
    this.#input.addEventListener('input', () => {
      this.#active = 0
      on.type(this.#input.value)
      this.#offer(true)
    })
    this.#input.addEventListener('focus', () => this.#offer(true))
    this.#input.addEventListener('blur', () => this.#offer(false))
    this.#input.addEventListener('keydown', (event) => this.#key(event))
    // A click must not move the focus out of the field before it selects an option.
    this.#list.addEventListener('mousedown', (event) => event.preventDefault())
    this.#list.addEventListener('click', ({ target }) => {
      const option = (target as Element).closest<HTMLElement>('[role=option]')
      if (option) this.#choose(option.dataset.key ?? '')
    })
    document.addEventListener('keydown', (event) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return
      event.preventDefault()
      this.#input.focus()
      this.#input.select()
    })
  }

  show(services: readonly DrawnService[], text: string): void {
    this.#services = services
    if (this.#input.value !== text) this.#input.value = text
    if (!this.#list.hidden) this.#offer(true)
  }

  #key(event: KeyboardEvent): void {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step !== undefined) {
      event.preventDefault()
      const count = Math.min(this.#found.length, MAX_OFFERED)
      this.#active = count === 0 ? 0 : (this.#active + step + count) % count
      this.#offer(true)
    } else if (event.key === 'Enter') {
      event.preventDefault()
      const found = this.#found[this.#active]
      if (found !== undefined) this.#choose(found.id)
    } else if (event.key === 'Escape' && (this.#input.value !== '' || !this.#list.hidden)) {
      event.stopPropagation()
      this.#input.value = ''
      this.#on.type('')
      this.#offer(false)
    }
  }

  #choose(id: string): void {
    this.#offer(false)
    this.#on.select(id)
  }

  #offer(isOpen: boolean): void {
    const text = this.#input.value
    const isSearching = isOpen && text.trim() !== ''
    this.#found = isSearching
      ? best(
          this.#services.filter((service) => fits(service, text)),
          text,
        )
      : []
    const offered = this.#found.slice(0, MAX_OFFERED)
    keyed(this.#list, offered, {
      key: ({ id }) => id,
      create: () => make('li', { role: 'option' }, make('span'), make('small')),
      update: (option, { id, name, kind, group }) => {
        const isActive = offered[this.#active]?.id === id
        option.id = `found-${offered.findIndex((service) => service.id === id)}`
        option.setAttribute('aria-selected', String(isActive))
        const [label, hint] = option.children
        if (label) label.textContent = name
        if (hint)
          hint.textContent = [kindWords(kind), group, name === id ? undefined : id]
            .filter(Boolean)
            .join(' · ')
      },
    })
    const more = this.#found.length - offered.length
    if (isSearching && more > 0) this.#list.append(note(`${more} more: keep typing`))
    if (isSearching && offered.length === 0) this.#list.append(note('No matching services.'))
    this.#list.hidden = !isSearching
    this.#input.setAttribute('aria-expanded', String(isSearching))
    if (offered.length > 0) this.#input.setAttribute('aria-activedescendant', `found-${this.#active}`)
    else this.#input.removeAttribute('aria-activedescendant')
  }
}

/** Names that start with the typed text come first. */
function best(found: DrawnService[], text: string): DrawnService[] {
  const wanted = text.trim().toLowerCase()
  const rank = ({ name }: DrawnService) => (name.toLowerCase().startsWith(wanted) ? 0 : 1)
  return found.sort((a, b) => rank(a) - rank(b))
}

function note(text: string): HTMLElement {
  return make('li', { className: 'muted', textContent: text })
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement && (target.isContentEditable || target.matches('input, select, textarea'))
  )
}
