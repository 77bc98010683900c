// Small helpers to build what the topology page shows. Text from outside only ever becomes text.

type Child = Node | string | undefined

/** An element with properties and children; what is undefined is left out. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children.filter((child) => child !== undefined))
  return element
}

/**
 * Makes a list's children those of the items, in their order. An element that is there already is kept, so that it
 * keeps the focus and what is selected in it.
 */
export function keyed<Item>(
  list: Element,
  items: readonly Item[],
  { key, create, update }: KeyedOptions<Item>,
): void {
  const known = new Map(
    [...list.children].map((child) => [(child as HTMLElement).dataset.key, child as HTMLElement]),
  )
  const wanted = items.map((item) => {
    const element = known.get(key(item)) ?? create(item)
    element.dataset.key = key(item)
    update(element, item)
    return element
  })
  const kept = new Set(wanted)
  for (const child of [...list.children]) if (!kept.has(child as HTMLElement)) child.remove()
  for (const [index, element] of wanted.entries()) {
    if (list.children[index] !== element) list.insertBefore(element, list.children[index] ?? null)
  }
}

export interface KeyedOptions<Item> {
  /** Different for every item of the list. */
  key(item: Item): string
  create(item: Item): HTMLElement
  update(element: HTMLElement, item: Item): void
}

/** Sets a text that may be read aloud only when it is another one. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** The part of a row or a panel that has a name. */
export function part(of: Element, name: string): HTMLElement {
  return of.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? (of as HTMLElement)
}

/** A refusal of the server, in its own words. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    detail: string,
    readonly code?: string,
    readonly field?: string,
  ) {
    super(detail)
  }
}

/** Asks the server, and reads its answer as JSON. @throws Refusal with a sentence for people. */
export async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(path, { ...init, headers: { Accept: 'application/json', ...init.headers } })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Refusal(0, 'Weir did not answer. Is it running?')
  }
  const body = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as Answer
  const { detail, code, field } = (body ?? {}) as { detail?: string; code?: string; field?: string }
  throw new Refusal(response.status, detail ?? `Weir answered ${response.status}.`, code, field)
}

/** Shows an instant by its time of day, the whole of it on hover. */
export function date(element: HTMLElement, time: Date): void {
  element.setAttribute('datetime', time.toISOString())
  element.title = time.toLocaleString()
  say(element, time.toLocaleTimeString())
}
