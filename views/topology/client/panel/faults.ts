// The form of the panel that makes a service of the laboratory misbehave.
import { ask, keyed, make, Refusal, say } from '../dom.ts'
import { byId, type Service } from '../graph.ts'
import { activeWords, BadField, faultsIn, type Json, PRESETS, shownIn } from './fault-fields.ts'

/** The faults of the service that is shown: asked for when it is chosen, then told by each answer. */
export class Faults {
  readonly #form = byId<HTMLFormElement>('faults')
  readonly #note = byId('faults-note')
  #service: Service | undefined
  /** Of the service that is shown: an answer about another one is late. */
  #asking: AbortController | undefined

  constructor() {
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault()
      void this.#send('PUT', () => this.#read())
    })
    byId('faults-off').addEventListener('click', () => void this.#send('DELETE'))
    for (const id of ['faults-apply-curl', 'faults-off-curl']) {
      byId(id).addEventListener('click', (event) => this.#prepareCopy(event))
    }
    byId('faults-presets').addEventListener('click', ({ target }) => {
      const preset =
        PRESETS[(target as HTMLElement).closest<HTMLElement>('[data-preset]')?.dataset.preset ?? '']
      if (preset !== undefined) void this.#send('PUT', () => preset)
    })
    byId('faults-presets').replaceChildren(
      ...Object.keys(PRESETS).map((name) => {
        const button = make('button', { type: 'button', textContent: name })
        button.dataset.preset = name
        return button
      }),
    )
  }

  show(service: Service | undefined): void {
    const reachable = service?.kind === 'service' && service.url !== undefined ? service : undefined
    const isSame = reachable?.id === this.#service?.id && reachable?.url === this.#service?.url
    this.#service = reachable
    if (isSame) return
    this.#asking?.abort()
    byId('faults-section').hidden = reachable === undefined
    this.#form.hidden = true
    this.#tell('')
    this.#showActive({})
    if (reachable !== undefined) void this.#send('GET')
  }

  async #send(method: 'GET' | 'PUT' | 'DELETE', read?: () => Json): Promise<void> {
    const service = this.#service
    if (service === undefined) return
    this.#asking?.abort()
    const asking = new AbortController()
    this.#asking = asking
    const { signal } = asking
    try {
      const body = read === undefined ? undefined : JSON.stringify(read())
      const path = `/api/topology/services/${encodeURIComponent(service.id)}/faults`
      const headers: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/json' }
      const faults = await ask<Json>(path, { method, signal, body, headers })
      if (signal.aborted) return
      this.#form.hidden = false
      this.#fill(faults)
      this.#showActive(faults)
      this.#tell(
        method === 'GET' ? '' : method === 'PUT' ? 'Active from the next answer on.' : 'All faults are off.',
      )
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
    }
  }

  /** What is copied is of the service that is shown, and of the fields as they are. */
  #prepareCopy(event: Event): void {
    const { dataset } = event.currentTarget as HTMLElement
    const path = `/api/topology/services/${encodeURIComponent(this.#service?.id ?? '')}/faults`
    dataset.curl = dataset.curl?.replace(/\{origin\}[^"]*/, () => `{origin}${path.replaceAll('!', '%21')}`)
    if (dataset.curlBody === undefined) return
    try {
      dataset.curlBody = JSON.stringify(this.#read())
    } catch (error) {
      event.stopPropagation()
      this.#fail(error)
    }
  }

  #read(): Json {
    return faultsIn(this.#fields().map((field) => [field.name, readValue(field)]))
  }

  #fill(faults: Json): void {
    for (const field of this.#fields()) {
      const shown = shownIn(faults, field.name)
      if (field.type === 'checkbox') field.checked = shown === true
      else field.value = String(shown)
      field.removeAttribute('aria-invalid')
    }
  }

  #showActive(faults: Json): void {
    const active = activeWords(faults)
    const badge = byId('faults-badge')
    badge.hidden = active.length === 0
    say(badge, `⚠ ${active.length} active`)
    byId<HTMLButtonElement>('faults-off').disabled = active.length === 0
    keyed(byId('faults-active'), active, {
      key: (words) => words,
      create: (words) => make('li', { textContent: words }),
      update: () => {},
    })
  }

  #fail(error: unknown): void {
    const field = error instanceof BadField || error instanceof Refusal ? error.field : undefined
    for (const input of this.#fields()) {
      if (field !== undefined && (input.name === field || field.startsWith(`${input.name}.`))) {
        input.setAttribute('aria-invalid', 'true')
        input.closest('details')?.setAttribute('open', '')
      } else input.removeAttribute('aria-invalid')
    }
    this.#tell(error instanceof Error ? error.message : String(error), true)
  }

  #tell(text: string, isError = false): void {
    say(this.#note, text)
    this.#note.classList.toggle('error', isError)
  }

  #fields(): HTMLInputElement[] {
    return [...this.#form.querySelectorAll<HTMLInputElement>('input[name]')]
  }
}

function readValue(field: HTMLInputElement): string | boolean {
  return field.type === 'checkbox' ? field.checked : field.value.trim()
}
