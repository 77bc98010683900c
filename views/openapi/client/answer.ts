// Shows what a request brought: as text that nothing in it can turn into markup, and only so much of it.
import { tokensOf } from '../../documents/client/json-tokens.ts'

export interface Came {
  place: HTMLElement
  /** By `performance.now()`. */
  startedAt: number
  /** Ends the request. */
  stopped: AbortController
}

/** Bytes of a body that are read and shown; the rest is left unread. */
const MAX_BYTES = 262_144
/** Characters that are coloured; what is beyond them is shown as it is. */
const MAX_COLOURED = 50_000
/** Events of a stream that are shown, and characters of each: then it is stopped. */
const MAX_EVENTS = 20
const MAX_EVENT_CHARS = 4_000

export async function showAnswer(response: Response, { place, startedAt, stopped }: Came): Promise<void> {
  const tookMs = Math.round(performance.now() - startedAt)
  const line = element('p', 'answer-line')
  const status = element('strong', `status ${response.ok ? 'good' : 'bad'}`)
  status.textContent = `${response.status} ${response.statusText}`.trim()
  const time = element('span', 'muted')
  time.textContent = ` after ${tookMs} ms`
  line.append(status, time)
  place.replaceChildren(line, headersOf(response))
  const type = response.headers.get('content-type') ?? ''
  if (type.startsWith('text/event-stream')) return showEvents(response, place, time, stopped)
  const { text, bytes, isCut } = await readStart(response)
  time.textContent += `, ${bytes.toLocaleString('en')} bytes${isCut ? ' shown, the rest is left out' : ''}`
  if (bytes > 0) place.append(bodyOf(type, text))
}

function headersOf(response: Response): HTMLElement {
  const details = element('details', 'example')
  const summary = element('summary', '')
  const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`)
  summary.textContent = `${lines.length} headers`
  const text = element('pre', '')
  text.textContent = lines.join('\n')
  details.append(summary, text)
  return details
}

async function readStart(response: Response): Promise<{ text: string; bytes: number; isCut: boolean }> {
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  let [text, bytes] = ['', 0]
  while (reader !== undefined) {
    const { done, value } = await reader.read()
    if (done) break
    const room = value.subarray(0, MAX_BYTES - bytes)
    text += decoder.decode(room, { stream: true })
    bytes += room.byteLength
    if (room.byteLength === value.byteLength) continue
    await reader.cancel()
    return { text, bytes, isCut: true }
  }
  return { text: text + decoder.decode(), bytes, isCut: false }
}

function bodyOf(type: string, text: string): HTMLElement {
  if (!/^(text\/|application\/(.*\+)?(json|x-ndjson|yaml))/.test(type)) {
    const note = element('p', 'muted')
    note.textContent = 'It is no text.'
    return note
  }
  return coloured(type.includes('json') && !type.includes('ndjson') ? indented(text) : text)
}

/** Only to be read: numbers that a double can't hold are left as they came. */
function indented(text: string): string {
  try {
    const numbers = tokensOf(text).filter(({ kind }) => kind === 'number')
    const isExact = numbers.every((number) => String(Number(number.text)) === number.text)
    return isExact ? JSON.stringify(JSON.parse(text), null, 2) : text
  } catch {
    return text
  }
}

function coloured(text: string): HTMLElement {
  const block = element('pre', 'data')
  block.tabIndex = 0
  return colour(block, text)
}

/** Fills an element with a text, whose parts have a colour each where it is JSON. */
export function colour(block: HTMLElement, text: string): HTMLElement {
  block.textContent = ''
  for (const token of tokensOf(text.slice(0, MAX_COLOURED))) {
    if (token.kind === 'plain') block.append(token.text)
    else {
      const part = element('span', `json-${token.kind}`)
      part.textContent = token.text
      block.append(part)
    }
  }
  block.append(text.slice(MAX_COLOURED))
  return block
}

/** The first events, as they come. */
async function showEvents(
  response: Response,
  place: HTMLElement,
  time: HTMLElement,
  stopped: AbortController,
): Promise<void> {
  const list = element('ol', 'events')
  place.append(list)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  let events = 0
  const tell = (end: string) => {
    time.textContent = `${time.textContent?.split(',')[0]}, ${events} events${end}`
  }
  try {
    while (reader !== undefined && events < MAX_EVENTS) {
      tell(', listening …')
      const { done, value } = await reader.read()
      if (done) return tell(', it has ended')
      const blocks = (rest + value).split(/\r?\n\r?\n/)
      rest = (blocks.pop() ?? '').slice(-MAX_BYTES)
      for (const block of blocks.map(eventOf)) {
        if (block === undefined || events >= MAX_EVENTS) continue
        events++
        list.append(block)
      }
    }
    tell(', stopped: that is enough to see')
    stopped.abort()
  } catch (error) {
    tell(stopped.signal.aborted ? ', stopped' : `, broken off: ${(error as Error).message}`)
  }
}

/** One message; nothing for a comment or a `retry`. */
function eventOf(block: string): HTMLElement | undefined {
  const fields = block.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s) as [string, string?])
  const of = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value ?? '')
  const data = of('data').join('\n')
  if (data === '') return undefined
  const item = element('li', '')
  const head = element('p', '')
  const name = element('strong', '')
  name.textContent = of('event').at(-1) ?? 'message'
  const id = element('code', 'muted')
  id.textContent = of('id').at(-1) ?? ''
  head.append(name, ' ', id)
  const isLong = data.length > MAX_EVENT_CHARS
  item.append(head, coloured(isLong ? `${data.slice(0, MAX_EVENT_CHARS)}…` : indented(data)))
  return item
}

function element(name: string, className: string): HTMLElement {
  const made = document.createElement(name)
  made.className = className
  return made
}
