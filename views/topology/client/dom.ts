// Small helpers to build the topology page. Text from outside never becomes markup.

type Child = Node | string | undefined

/** An element with properties and children; undefined ones are left out. */
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
 * Makes a list's children match the items, in their order. Existing elements stay, so that they keep their focus and
 * selection.
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
  /** Unique within the list. */
  key(item: Item): string
  create(item: Item): HTMLElement
  update(element: HTMLElement, item: Item): void
}

/** Sets a text only if it differs, as screen readers may announce it. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** The named part of a row or a panel. */
export function part(of: Element, name: string): HTMLElement {
  return of.querySelector<HTMLElement>(`[data-part="${name}"]`) ?? (of as HTMLElement)
}

/** An error response of the server, with its message. */
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

/** Sends a request and reads the response as JSON. @throws Refusal with a message for people. */
export async function ask<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  let response: Response
  try {
    response = await fetch(path, { ...init, headers: { Accept: 'application/json', ...init.headers } })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Refusal(0, "Weir didn't respond. Check that it is running.")
  }
  const body = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as Answer
  const { detail, code, field } = (body ?? {}) as { detail?: string; code?: string; field?: string }
  throw new Refusal(response.status, detail ?? `Weir returned ${response.status}.`, code, field)
}

/** Shows an instant as a time of day, with the full date on hover. */
export function date(element: HTMLElement, time: Date): void {
  element.setAttribute('datetime', time.toISOString())
  element.title = time.toLocaleString()
  say(element, time.toLocaleTimeString())
}
