/** Where a page hears of what changes on it; in a tab that is hidden it needn't. */
export function Live({ href }: { href: string }) {
  return <div hx-sse:connect={href} hx-swap="none" hidden />
}
