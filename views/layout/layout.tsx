import type { Child } from 'hono/jsx'
import { Palette, Shortcuts } from './palette.tsx'

/** The parts of the console, in the order of its navigation. */
const SECTIONS = [
  { href: '/', label: 'Home' },
  { href: '/streams', label: 'Streams' },
  { href: '/twins', label: 'Twins' },
  { href: '/topology', label: 'Topology' },
  { href: '/incidents', label: 'Incidents' },
  { href: '/rules', label: 'Rules' },
  { href: '/silences', label: 'Silences' },
  { href: '/channels', label: 'Channels' },
  { href: '/storage', label: 'Storage' },
  { href: '/archive', label: 'Archive' },
  { href: '/jobs', label: 'Jobs' },
  { href: '/settings', label: 'Settings' },
  { href: '/openapi', label: 'API' },
] as const

/** How long, at most, a live part waits between two attempts to reach Weir again, in milliseconds. */
const RECONNECT_MAX_MS = 8_000
/** What somebody has opened stays open when it is shown anew. */
const READERS_ATTRIBUTES = ['open']
const HTMX_CONFIG = JSON.stringify({
  sse: { reconnectMaxDelay: RECONNECT_MAX_MS },
  morphIgnore: ['data-htmx-powered', ...READERS_ATTRIBUTES],
})

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
        <meta name="htmx-config" content={HTMX_CONFIG} />
        <title>{`${title} · Weir`}</title>
        <link rel="icon" href="/assets/views/layout/weir.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/views/layout/weir.css" />
        <script src="/assets/htmx.js" defer />
        <script src="/assets/views/layout/client/console.ts" type="module" />
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
            <img src="/assets/views/layout/weir.svg" alt="" width="24" height="24" /> Weir
          </a>
          <nav class="sections" aria-label="Sections">
            <Sections current={section} />
          </nav>
          <button type="button" class="needs-script" id="open-palette" aria-haspopup="dialog">
            Find <kbd>Ctrl K</kbd>
          </button>
          <details class="menu">
            <summary>
              Menu <OpenIncidents />
            </summary>
            <nav aria-label="Sections">
              <Sections current={section} />
            </nav>
          </details>
          <div class="who" />
        </header>
        <div class="connection" id="connection" role="status" />
        <p class="notice" id="notice" role="alert" hidden />
        <main id="main" class={wide ? 'wide' : undefined}>
          {children}
        </main>
        <Palette sections={SECTIONS} />
        <Shortcuts />
      </body>
    </html>
  )
}

function Sections({ current }: { current: string | undefined }) {
  return SECTIONS.map(({ href, label }) => (
    <a href={href} aria-current={href === current ? 'page' : undefined}>
      {label}
      {href === '/incidents' && <OpenIncidents />}
    </a>
  ))
}

/** How many there are: the page's script fills it in, and keeps it current. */
function OpenIncidents() {
  return <span class="badge" data-open-incidents hidden />
}
