// Sends one operation, with what its form holds.
import { type Came, showAnswer } from './answer.ts'

/** How long the button of what can't be undone asks once more, in milliseconds. */
const ASK_MS = 5_000

/** The form of one operation: what it would send, as a command too, and what came of it. */
export class Trial {
  readonly #form: HTMLFormElement
  readonly #send: HTMLButtonElement
  readonly #stop: HTMLButtonElement
  readonly #came: HTMLElement
  /** Ends the request that is under way. */
  #under: AbortController | undefined
  #asking: ReturnType<typeof setTimeout> | undefined

  constructor(form: HTMLFormElement) {
    this.#form = form
    this.#send = form.querySelector('button[type="submit"]') as HTMLButtonElement
    this.#stop = form.querySelector('[data-stop]') as HTMLButtonElement
    this.#came = form.querySelector('.came') as HTMLElement
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.#isSure()) void this.#run()
    })
    form.addEventListener('input', () => this.#tellCommand())
    this.#stop.addEventListener('click', () => this.#under?.abort())
  }

  /** What can't be undone is asked for twice. */
  #isSure(): boolean {
    if (this.#form.dataset.method !== 'DELETE' || this.#asking !== undefined) return this.#calm()
    const label = this.#send.textContent
    this.#send.textContent = 'Really? Send DELETE'
    this.#asking = setTimeout(() => this.#calm(label), ASK_MS)
    return false
  }

  #calm(label = `Send ${this.#form.dataset.method}`): true {
    clearTimeout(this.#asking)
    this.#asking = undefined
    this.#send.textContent = label
    return true
  }

  async #run(): Promise<void> {
    this.#under?.abort()
    const under = new AbortController()
    this.#under = under
    this.#stop.hidden = false
    this.#came.hidden = false
    const { method = 'GET' } = this.#form.dataset
    const { target, headers, body } = requestOf(this.#form)
    const came: Came = { place: this.#came, startedAt: performance.now(), stopped: under }
    try {
      const response = await fetch(target, { method, headers, body, signal: under.signal, cache: 'no-store' })
      await showAnswer(response, came)
    } catch (error) {
      if (!under.signal.aborted) this.#came.replaceChildren(said(`Nothing came: ${(error as Error).message}`))
    } finally {
      if (this.#under === under) this.#stop.hidden = true
    }
  }

  /** The command, as it is shown and copied, says what is filled in. */
  #tellCommand(): void {
    const what = this.#form.closest('.what')
    const command = what?.querySelector('pre.command')
    const button = what?.querySelector<HTMLButtonElement>('button[data-curl]')
    if (!command || !button) return
    const { method = 'GET' } = this.#form.dataset
    const { target, headers, body } = requestOf(this.#form)
    const sent = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)
    const isStream = headers.Accept === 'text/event-stream' || (button.dataset.curl ?? '').includes(' -N ')
    const parts = [
      isStream ? 'curl -N' : 'curl',
      ...(method === 'GET' ? [] : [`-X ${method}`]),
      `"{origin}${target.replaceAll(/["$`\\]/g, '\\$&')}"`,
      '-H "Authorization: Bearer $WEIR_TOKEN"',
      ...sent,
      ...(body === undefined ? [] : [`-d ${quoted(body)}`]),
    ]
    button.dataset.curl = parts.join(' ')
    command.textContent = button.dataset.curl.replace('{origin}', location.origin)
  }
}

/** What a form says, as a request. */
function requestOf(form: HTMLFormElement): {
  target: string
  headers: Record<string, string>
  body: string | undefined
} {
  const headers: Record<string, string> = {}
  const query = new URLSearchParams()
  let path = form.dataset.path ?? '/'
  let body: string | undefined
  let type = 'application/json'
  for (const [name, given] of new FormData(form)) {
    const value = String(given)
    const [place, key] = name.split(/:(.*)/s) as [string, string?]
    if (name === 'body') body = value
    if (name === 'type') type = value
    if (value === '') continue
    if (name === 'accept') headers.Accept = value
    if (place === 'query') query.append(key ?? '', value)
    if (place === 'header') headers[key ?? ''] = value
    // The proxy takes the target's URL as it is.
    if (place === 'path') path = path.replace(`{${key}}`, key === 'url' ? value : encodeURIComponent(value))
  }
  if (body !== undefined) headers['Content-Type'] = type
  const asked = String(query)
  const joint = path.includes('?') ? '&' : '?'
  return { target: asked === '' ? path : path + joint + asked, headers, body }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

function said(text: string): HTMLElement {
  const line = document.createElement('p')
  line.className = 'error'
  line.textContent = text
  return line
}
