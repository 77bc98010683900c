// The command palette: pages, actions, and streams that the server finds.

/** Streams shown for a search. */
const MAX_STREAMS = 8
/** Keys pressed in a row are searched for once, after this many milliseconds. */
const SETTLE_MS = 150

interface Choice {
  element: HTMLElement
  words: string
  choose(): void
}

/** Opens with Ctrl-K or Cmd-K, from everywhere; lives as long as the page. */
export class Palette {
  readonly #dialog: HTMLDialogElement
  readonly #input: HTMLInputElement
  readonly #list: HTMLElement
  readonly #note: HTMLElement
  readonly #fixed: Choice[]
  readonly #showSheet: () => void
  #own: Choice[] = []
  #streams: Choice[] = []
  #shown: Choice[] = []
  #at = 0
  #settling: ReturnType<typeof setTimeout> | undefined
  #asking: AbortController | undefined

  constructor(dialog: HTMLDialogElement, showSheet: () => void) {
    const part = <Kind extends HTMLElement>(id: string) => document.getElementById(id) as Kind
    this.#dialog = dialog
    this.#showSheet = showSheet
    this.#input = part<HTMLInputElement>('palette-input')
    this.#list = part('palette-list')
    this.#note = part('palette-note')
    this.#fixed = [...this.#list.querySelectorAll<HTMLElement>('[data-href]')].map((element) =>
      this.#choice(element, () => this.#go(element.dataset.href ?? '/')),
    )
    this.#input.addEventListener('input', () => this.#typed())
    this.#input.addEventListener('keydown', (event) => this.#key(event))
    dialog.addEventListener('close', () => this.#asking?.abort())
    // Beside the dialog, on its backdrop.
    dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close())
    document.getElementById('open-palette')?.addEventListener('click', () => this.open())
    document.addEventListener('keydown', (event) => {
      if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || event.altKey) return
      event.preventDefault()
      if (dialog.open) dialog.close()
      else this.open()
    })
  }

  open(): void {
    if (this.#dialog.open) return
    this.#own = this.#buttonsOfPage()
    this.#streams = []
    this.#input.value = ''
    this.#dialog.showModal()
    this.#show()
  }

  /** What can be pressed on this page, by the names it has for screen readers. */
  #buttonsOfPage(): Choice[] {
    const buttons = [
      ...document.querySelectorAll<HTMLButtonElement>('main form[method="post"] button[type="submit"]'),
    ]
    const seen = new Set<string>()
    return buttons.flatMap((button) => {
      const name = (button.ariaLabel ?? button.textContent ?? '').trim()
      if (name === '' || seen.has(name) || button.disabled || !button.checkVisibility()) return []
      seen.add(name)
      const choose = () => {
        button.focus()
        // A form that isn't filled in yet is shown, others are done.
        if (button.form?.checkValidity()) button.click()
        else button.form?.querySelector<HTMLElement>(':invalid')?.focus()
      }
      return [this.#choice(option(name, 'on this page'), choose)]
    })
  }

  #choice(element: HTMLElement, choose: () => void): Choice {
    const act = () => {
      this.#dialog.close()
      choose()
    }
    element.id ||= `choice-${crypto.getRandomValues(new Uint32Array(1))[0]}`
    element.addEventListener('click', act)
    return { element, words: (element.textContent ?? '').toLowerCase(), choose: act }
  }

  #go(href: string): void {
    if (href === '#shortcuts') this.#showSheet()
    else location.assign(href)
  }

  #typed(): void {
    this.#asking?.abort()
    clearTimeout(this.#settling)
    this.#streams = []
    this.#show()
    const text = this.#input.value.trim()
    if (text !== '') this.#settling = setTimeout(() => void this.#find(text), SETTLE_MS)
  }

  async #find(text: string): Promise<void> {
    const asking = new AbortController()
    this.#asking = asking
    try {
      const query = new URLSearchParams({ q: text, limit: String(MAX_STREAMS) })
      const response = await fetch(`/api/streams?${query}`, { signal: asking.signal })
      if (!response.ok) throw new Error(`It answered ${response.status}`)
      const { items } = (await response.json()) as { items: { id: string; name: string }[] }
      this.#streams = items.map(({ id, name }) =>
        this.#choice(option(name, 'stream'), () => location.assign(`/streams/${id}`)),
      )
      this.#show()
    } catch {
      if (!asking.signal.aborted) this.#note.textContent = "Streams can't be searched: Weir did not answer."
    }
  }

  #show(): void {
    const words = this.#input.value.toLowerCase().split(/\s+/).filter(Boolean)
    const fits = (choice: Choice) => words.every((word) => choice.words.includes(word))
    this.#shown = [...this.#fixed.filter(fits), ...this.#own.filter(fits), ...this.#streams]
    this.#list.replaceChildren(...this.#shown.map(({ element }) => element))
    this.#note.textContent = this.#shown.length === 0 ? 'Nothing found.' : ''
    this.#mark(0)
  }

  #key(event: KeyboardEvent): void {
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1 }
    const step = steps[event.key]
    if (step !== undefined) this.#mark(this.#at + step)
    else if (event.key === 'Enter') this.#shown[this.#at]?.choose()
    else return
    event.preventDefault()
  }

  /** After the last comes the first. */
  #mark(to: number): void {
    const count = this.#shown.length
    this.#at = count === 0 ? 0 : (to + count) % count
    for (const [at, { element }] of this.#shown.entries()) {
      element.setAttribute('aria-selected', String(at === this.#at))
    }
    const chosen = this.#shown[this.#at]?.element
    chosen?.scrollIntoView({ block: 'nearest' })
    if (chosen === undefined) this.#input.removeAttribute('aria-activedescendant')
    else this.#input.setAttribute('aria-activedescendant', chosen.id)
  }
}

function option(name: string, kind: string): HTMLElement {
  const element = document.createElement('li')
  element.role = 'option'
  const [text, note] = [document.createElement('span'), document.createElement('span')]
  text.textContent = name
  note.textContent = kind
  note.className = 'muted'
  element.append(text, ' ', note)
  return element
}
