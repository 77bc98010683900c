import Ajv2020 from 'ajv/dist/2020.js'
import type { ApiContent, ApiDocument, ApiOperation } from '../../src/routes/openapi/types.ts'
import { until } from '../support/until.ts'

export interface Asked {
  body?: unknown
  headers?: Record<string, string>
  /** Of an event stream: names that must have come before it is left. */
  events?: readonly string[]
}

interface Found {
  name: string
  pointer: string
  operation: ApiOperation
}

const FORMATS: Record<string, RegExp> = {
  uuid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  date: /^\d{4}-\d\d-\d\d$/,
}

/** Asks a Weir, and holds every answer against what its own document says of the operation. */
export class Contract {
  readonly #url: string
  readonly #document: ApiDocument
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, formats: FORMATS })
  /** Operations that answered as they should, with what: `GET /api/streams 200 application/json`. */
  readonly reached = new Set<string>()
  /** What was not as the document says. */
  readonly faults: string[] = []

  constructor(url: string, document: ApiDocument) {
    this.#url = url
    this.#document = document
    this.#ajv.addSchema(closed(document) as object, 'weir')
  }

  static async of(url: string): Promise<Contract> {
    return new Contract(url, (await (await fetch(`${url}/openapi/json`)).json()) as ApiDocument)
  }

  /** Everything that the document says can be answered where all goes well. */
  promised(): string[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { responses = {} }]) =>
        Object.entries(responses)
          .filter(([status]) => /^[23]/.test(status))
          .flatMap(([status, { content = { '': undefined } }]) =>
            Object.keys(content).map((type) => `${method.toUpperCase()} ${path} ${status} ${type}`.trim()),
          ),
      ),
    )
  }

  /** Operations of which the document doesn't say what they answer. */
  silent(): string[] {
    return Object.entries(this.#document.paths).flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([, { responses = {} }]) => !Object.keys(responses).some((status) => /^2/.test(status)))
        .map(([method]) => `${method.toUpperCase()} ${path}`),
    )
  }

  /** @returns the JSON that was answered, if it was that */
  async ask<T = Record<string, unknown>>(method: string, path: string, asked: Asked = {}): Promise<T> {
    const { body, headers, events = [] } = asked
    const isText = typeof body === 'string' || body instanceof Uint8Array
    const left = new AbortController()
    const response = await fetch(this.#url + path, {
      method,
      body: body === undefined ? undefined : isText ? (body as string) : JSON.stringify(body),
      headers: { ...(body !== undefined && !isText && { 'Content-Type': 'application/json' }), ...headers },
      signal: left.signal,
    })
    const found = this.#find(method, path)
    const told = await this.#hold(found, response, events)
    left.abort()
    return told as T
  }

  async #hold({ name, pointer, operation }: Found, response: Response, events: readonly string[]) {
    const status = String(response.status)
    const type = (response.headers.get('content-type') ?? '').split(';')[0] ?? ''
    const at = `${name} ${status} ${type}`.trim()
    const key = operation.responses?.[status] === undefined ? 'default' : status
    const answer = operation.responses?.[key]
    if (answer === undefined || (key === 'default' && response.ok)) {
      this.faults.push(`${at}: the document knows no such status. ${await response.text()}`)
      return undefined
    }
    for (const header of Object.keys(answer.headers ?? {}))
      if (!response.headers.has(header)) this.faults.push(`${at}: no ${header}`)
    const content = answer.content?.[type]
    if (content === undefined && (type !== '' || answer.content !== undefined)) {
      this.faults.push(`${at}: the document knows no such type`)
      return undefined
    }
    if (response.status >= 400) this.#code(at, await response.clone().json(), answer['x-codes'])
    this.reached.add(at)
    const within = `${pointer}/responses/${key}/content/${escaped(type)}`
    return content === undefined ? undefined : this.#content({ at, within, content }, type, response, events)
  }

  async #content(
    { at, within, content }: { at: string; within: string; content: ApiContent },
    type: string,
    response: Response,
    events: readonly string[],
  ): Promise<unknown> {
    if (type === 'text/event-stream') {
      for (const { event, data } of await eventsOf(response, events)) {
        if (content['x-events']?.[event] === undefined) this.faults.push(`${at}: an event ${event}`)
        else this.#value(`${at} event ${event}`, `${within}/x-events/${escaped(event)}`, jsonOr(data))
      }
      return undefined
    }
    if (content['x-line'] !== undefined) {
      const lines = (await response.text()).split('\n').filter(Boolean)
      if (lines.length === 0) this.faults.push(`${at}: no lines to hold against it`)
      for (const line of lines) this.#value(at, `${within}/x-line`, JSON.parse(line))
      return lines.map((line) => JSON.parse(line))
    }
    if (!type.endsWith('json')) return response.text()
    const told = await response.json()
    this.#value(at, `${within}/schema`, told)
    return told
  }

  #value(at: string, pointer: string, value: unknown): void {
    const validate = this.#ajv.getSchema(`weir#${pointer}`)
    if (validate === undefined) throw new Error(`No schema at ${pointer}`)
    if (validate(value)) return
    const told = this.#ajv.errorsText(validate.errors, { dataVar: '' }).slice(0, 400)
    const extra = validate.errors?.map(({ params }) => params.additionalProperty).filter(Boolean)
    this.faults.push(`${at}: ${told} ${extra?.join(', ')}: ${JSON.stringify(value).slice(0, 300)}`)
  }

  #code(at: string, problem: { code?: unknown }, codes: readonly string[] = []): void {
    if (!codes.includes(String(problem.code))) this.faults.push(`${at}: code ${problem.code} is not told`)
  }

  /** The operation that a path is of: the one with the fewest parameters. */
  #find(method: string, path: string): Found {
    const { pathname } = new URL(path, this.#url)
    const fitting = Object.keys(this.#document.paths)
      .filter((template) => patternOf(template).test(pathname))
      .sort((a, b) => a.split('{').length - b.split('{').length)
    for (const template of fitting) {
      const operation = this.#document.paths[template]?.[method.toLowerCase()]
      const pointer = `/paths/${escaped(template)}/${method.toLowerCase()}`
      if (operation !== undefined) return { name: `${method} ${template}`, pointer, operation }
    }
    throw new Error(`The document knows no ${method} ${pathname}`)
  }
}

/** What isn't said isn't there: a field that a schema doesn't name is a fault. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closed(each)]))
  const isOpen = copy.type === 'object' && 'properties' in copy && !('additionalProperties' in copy)
  return isOpen ? { ...copy, additionalProperties: false } : copy
}

function patternOf(template: string): RegExp {
  const parts = template.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join(template.startsWith('/proxy/') ? '.+' : '[^/]+')}$`)
}

/** Of a JSON pointer in a URI fragment. */
function escaped(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))
}

async function eventsOf(response: Response, wanted: readonly string[]) {
  const seen: { event: string; data: string }[] = []
  let text = ''
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  if (reader === undefined) return seen
  let isRead = true
  const reading = (async () => {
    while (isRead) {
      const { done, value } = await reader.read()
      if (done) return
      text += decoder.decode(value, { stream: true })
    }
  })()
  await until(`${wanted} came on ${response.url}; so far: ${text}`, () => {
    const blocks = text.split('\n\n').slice(0, -1)
    seen.splice(0, seen.length, ...blocks.flatMap(messageOf))
    return wanted.every((event) => seen.some((each) => each.event === event))
  })
  isRead = false
  await reader.cancel()
  await reading
  return seen
}

function messageOf(block: string): { event: string; data: string }[] {
  const lines = block.split('\n')
  const of = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim())
  const data = of('data')
  return data.length === 0 ? [] : [{ event: of('event')[0] ?? 'message', data: data.join('\n') }]
}

function jsonOr(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
