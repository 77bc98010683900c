import { afterAll, afterEach, beforeAll, beforeEach, expect, spyOn, test } from 'bun:test'
import { type HeldTimers, holdTimers } from '../support/timers.ts'
import { until } from '../support/until.ts'

// The rules of the console's scripts, in a browser as small as they need.

class Node extends EventTarget {
  id = ''
  hidden = false
  isConnected = true
  textContent = ''
  readonly dataset: Record<string, string> = {}
  readonly children: Node[] = []
  readonly attributes = new Map<string, string>()
  readonly classList = { contains: () => false }
  hasAttribute = (name: string) => this.attributes.has(name)
  getAttribute = (name: string) => this.attributes.get(name) ?? null
  setAttribute = (name: string, value: string) => void this.attributes.set(name, value)
  querySelector = (): Node | null => null
  querySelectorAll = (): Node[] => []
  append = (...nodes: Node[]) => void this.children.push(...nodes)
  prepend = (...nodes: Node[]) => void this.children.unshift(...nodes)
  remove() {}
}

const elements = new Map<string, Node>()
const page = Object.assign(new Node(), {
  ...{
    documentElement: new Node(),
    body: new Node(),
    getElementById: (id: string) => elements.get(id) ?? null,
  },
  createElement: () => new Node(),
})
/** The callbacks of observers of the page. */
const observed: ((changes: object[]) => void)[] = []
const stubs: Record<string, unknown> = {
  ...{
    document: page,
    window: new EventTarget(),
    Element: Node,
    HTMLElement: Node,
    location: { pathname: '/', search: '' },
  },
  ...{ CSS: { escape: (text: string) => text }, navigator: { onLine: true }, confirm: () => true },
  MutationObserver: class {
    constructor(act: (changes: object[]) => void) {
      observed.push(act)
    }
    observe() {}
    disconnect() {}
  },
}
const before = new Map(
  Object.keys(stubs).map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
)

let timers: HeldTimers
/** How Weir answers. */
let answer: () => Promise<Response>
const asked: { path: string; init: RequestInit }[] = []

beforeAll(() => {
  for (const [name, value] of Object.entries(stubs))
    Object.defineProperty(globalThis, name, { value, configurable: true })
  spyOn(globalThis, 'fetch').mockImplementation(((path: string, init: RequestInit) => {
    asked.push({ path, init })
    return answer()
  }) as never)
})
beforeEach(() => {
  timers = holdTimers()
  asked.length = 0
  answer = async () => Response.json({ openIncidents: 0 })
  page.hidden = false
})
afterEach(() => timers[Symbol.dispose]())
afterAll(() => {
  ;(globalThis.fetch as unknown as { mockRestore(): void }).mockRestore()
  for (const [name, known] of before) {
    if (known === undefined) delete (globalThis as Record<string, unknown>)[name]
    else Object.defineProperty(globalThis, name, known)
  }
})

/** Runs a script that exports nothing. */
const script = (path: string): Promise<unknown> => import(path)

const tell = (name: string, detail: object, target: EventTarget = page) =>
  target.dispatchEvent(new CustomEvent(name, { detail }))

test('a page retries after half a second, doubled up to eight, with up to a third less', async () => {
  const { retryWait } = await import('../../views/layout/client/retry.ts')
  const random = spyOn(Math, 'random').mockReturnValue(0)
  expect([0, 1, 4, 5, 60].map(retryWait)).toEqual([500, 1_000, 8_000, 8_000, 8_000])
  random.mockReturnValue(1)
  expect(retryWait(1)).toBeCloseTo(667, 0)
  random.mockRestore()
})

test('lines are read wherever they are split', async () => {
  const { readLines } = await import('../../views/streams/client/ndjson.ts')
  const bytes = new TextEncoder().encode('{"a":"ä"}\n{"a":2}\n{"a":3}\n')
  for (const size of [1, 7, 12, 100]) {
    const parts: Uint8Array[] = []
    for (let from = 0; from < bytes.length; from += size) parts.push(bytes.slice(from, from + size))
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of parts) controller.enqueue(part)
        controller.close()
      },
    })
    const lines: unknown[] = []
    await readLines(new Response(body), (some) => void lines.push(...some))
    expect(lines).toEqual([{ a: 'ä' }, { a: 2 }, { a: 3 }])
  }
})

test('a part that never began is retried, but not once the reader is signed out or its item is gone', async () => {
  const { Unbegun } = await import('../../views/layout/client/unbegun.ts')
  const failed: string[] = []
  const unbegun = new Unbegun({
    failed: () => void failed.push('failed'),
    settled: () => void failed.push('settled'),
  })
  const part = new Node()
  part.setAttribute('hx-sse:connect', '/live')
  const fails = (status: number) => {
    const event = new CustomEvent('htmx:response:error', { detail: { ctx: { response: { status } } } })
    Object.defineProperty(event, 'target', { value: part })
    page.dispatchEvent(event)
  }
  const waits = timers.set().length
  fails(503)
  expect([unbegun.isAny, timers.set().length]).toEqual([true, waits + 1])
  for (const status of [401, 404]) {
    fails(503)
    const set = timers.set().length
    fails(status)
    expect([unbegun.isAny, timers.set().length]).toEqual([false, set])
  }
  expect(failed.at(-1)).toBe('settled')
})

async function connected() {
  const { Connection } = await import('../../views/layout/client/connection.ts')
  const line = new Node()
  const timeout = spyOn(AbortSignal, 'timeout')
  const connection = new Connection(line as never)
  expect(timeout).toHaveBeenCalledWith(4_000)
  timeout.mockRestore()
  await until('it has asked', () => timers.set().some(({ ms }) => ms === 5_000))
  const pulse = () =>
    timers
      .set()
      .find(({ ms }) => ms <= 8_000 && ms >= 300)
      ?.fire()
  return { connection, line, pulse }
}

test('once Weir is back, live parts don’t wait out their own backoff; a removed item isn’t waited for', async () => {
  const { connection, line } = await connected()
  let hurried = 0
  const live = { attempt: 1, cancelled: false, delayCanceller: () => hurried++ }
  tell('htmx:sse:before:connection', { connection: live })
  expect([connection.isAway, live.cancelled]).toEqual([true, false])
  await until('it was asked, and is hurried', () => hurried > 0)
  tell('htmx:sse:after:connection', { connection: live })
  expect(connection.isAway).toBe(false)
  tell('htmx:sse:close', { connection: live, reason: 'message' })
  expect(line.textContent).toBe('The item on this page was removed.')
  tell('htmx:sse:before:connection', { connection: live })
  expect(live.cancelled).toBe(true)
})

test('signed out, a page asks for nothing any more, and a hidden one asks for nothing meanwhile', async () => {
  const { line, connection } = await connected()
  page.hidden = true
  page.dispatchEvent(new Event('visibilitychange'))
  connection.ask()
  await until('it was answered', () => asked.length > 1)
  await Bun.sleep(0)
  expect(timers.set().filter(({ ms }) => ms === 5_000)).toEqual([])
  page.hidden = false
  answer = async () => new Response('', { status: 401 })
  connection.ask()
  await until('it is told', () => line.textContent.startsWith("You're signed out"))
  const live = { attempt: 1, cancelled: false, delayCanceller: null }
  tell('htmx:sse:before:connection', { connection: live })
  expect(live.cancelled).toBe(true)
  expect(line.textContent).toStartWith("You're signed out")
})

test('a paused log counts an entry once, however often it arrives', async () => {
  for (const id of ['log', 'log-pause', 'log-waiting']) elements.set(id, new Node())
  await script('../../views/stream/client/log.ts')
  const [pause, told] = [elements.get('log-pause') as Node, elements.get('log-waiting') as Node]
  pause.dispatchEvent(new Event('click'))
  expect(pause.getAttribute('aria-pressed')).toBe('true')
  const arrives = (...ids: string[]) => {
    const addedNodes = ids.map((id) => Object.assign(new Node(), { id }))
    observed.at(-1)?.([{ addedNodes, nextSibling: {} }])
  }
  arrives('entry-2', 'entry-1')
  arrives('entry-3', 'entry-2')
  expect(told.textContent).toBe('3 new entries')
  for (let each = 4; each <= 300; each++) arrives(`entry-${each}`)
  pause.dispatchEvent(new Event('click'))
  expect(elements.get('log')?.children.map(({ id }) => id)).toHaveLength(200)
  expect(elements.get('log')?.children[0]?.id).toBe('entry-300')
})

test('deleting all that match says how many were asked about', async () => {
  const named: Record<string, object> = {
    ...{
      all: Object.assign(new Node(), { checked: true }),
      tag: { value: '' },
      filter: { value: 'tag=shop' },
    },
  }
  const form = Object.assign(new Node(), { elements: { namedItem: (name: string) => named[name] } })
  for (const id of ['bulk-result', 'bulk-progress', 'streams-table']) elements.set(id, new Node())
  elements.set('bulk', form)
  const total = Object.assign(new Node(), { dataset: { total: '12' } })
  ;(elements.get('streams-table') as Node).querySelector = () => total
  const report = { total: 12, done: 12, changed: 12, unchanged: 0, failed: 0, failures: [] }
  answer = async () => new Response(`${JSON.stringify(report)}\n`)
  await script('../../views/streams/client/list.ts')
  const submit = (action: string) =>
    form.dispatchEvent(
      Object.assign(new Event('submit', { cancelable: true }), { submitter: { value: action } }),
    )
  submit('delete')
  await until('it is sent', () => asked.length > 0)
  expect(JSON.parse(String(asked[0]?.init.body))).toEqual({
    action: 'delete',
    filter: { tag: 'shop' },
    atMost: 12,
  })
})
