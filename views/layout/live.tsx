/** Connects a page to its live updates, except in a hidden tab. */
export function Live({ href }: { href: string }) {
  return <div hx-sse:connect={href} hx-swap="none" hidden />
}
