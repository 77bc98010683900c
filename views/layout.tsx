import type { Child } from 'hono/jsx'

/** The parts of the console, in the order of its navigation. */
const SECTIONS = [
  { href: '/', label: 'Home' },
  { href: '/streams', label: 'Streams' },
  { href: '/topology', label: 'Topology' },
  { href: '/incidents', label: 'Incidents' },
  { href: '/channels', label: 'Channels' },
  { href: '/storage', label: 'Storage' },
  { href: '/archive', label: 'Archive' },
  { href: '/jobs', label: 'Jobs' },
  { href: '/openapi', label: 'API' },
] as const

export interface PageProps {
  title: string
  /** Path of the section to mark as current. */
  section?: (typeof SECTIONS)[number]['href']
  /** Scripts of this page, as paths below `/assets/`, run in this order: ours as modules, packages' as they are. */
  scripts?: readonly string[]
  /** Use the whole width, for pictures and wide tables. */
  wide?: boolean
  children?: Child
}

/** A whole page of the console. */
export function Page({ title, section, scripts = [], wide = false, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="dark light" />
        <title>{`${title} · Weir`}</title>
        <link rel="icon" href="/assets/weir.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/weir.css" />
        <script src="/assets/htmx.js" defer />
        <script src="/assets/hx-sse.js" defer />
        <script src="/assets/console.ts" type="module" />
        {scripts.map((script) => (
          <script src={`/assets/${script}`} type={script.endsWith('.ts') ? 'module' : undefined} defer />
        ))}
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to content
        </a>
        <header class="bar">
          <a class="brand" href="/">
            <img src="/assets/weir.svg" alt="" width="24" height="24" /> Weir
          </a>
          <nav aria-label="Sections">
            {SECTIONS.map(({ href, label }) => (
              <a href={href} aria-current={href === section ? 'page' : undefined}>
                {label}
              </a>
            ))}
          </nav>
          <p class="connection" id="connection" role="status" hidden>
            Offline, reconnecting…
          </p>
        </header>
        <p class="notice" id="notice" role="alert" hidden />
        <main id="main" class={wide ? 'wide' : undefined}>
          {children}
        </main>
      </body>
    </html>
  )
}
