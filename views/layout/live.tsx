/** The last event of a live page whose item was removed: it doesn't reconnect. */
export const GONE_EVENT = 'gone'

/** Attributes of an element that receives the live updates of its page, except in a hidden tab. */
export function live(href: string) {
  return { 'hx-sse:connect': href, 'hx-sse:close': GONE_EVENT, 'hx-swap': 'none' }
}

/** Connects a page to its live updates. */
export function Live({ href }: { href: string }) {
  return <div {...live(href)} hidden />
}
