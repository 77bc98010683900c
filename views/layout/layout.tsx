import type { Child } from 'hono/jsx'
import type { Reader } from '../../src/routes/access/reader.ts'
import { DESTINATIONS, type Destination, Menu, PagesOfSection, Sections } from './navigation.tsx'
import { Palette, Shortcuts } from './palette.tsx'
import { Shell } from './shell.tsx'

/** Longest wait of a live part between two attempts to reconnect, in milliseconds. */
const RECONNECT_MAX_MS = 8_000
/** What the reader has opened stays open after an update. */
const READERS_ATTRIBUTES = ['open']
const HTMX_CONFIG = JSON.stringify({
  sse: { reconnectMaxDelay: RECONNECT_MAX_MS },
  morphIgnore: ['data-htmx-powered', ...READERS_ATTRIBUTES],
})

/** Properties of every page, in addition to its data. */
export interface ForReader {
  reader: Reader
}

export interface PageProps extends ForReader {
  title: string
  /** The page of the navigation that it is, or belongs to. */
  section?: Destination
  /** Scripts of this page, as paths below `/assets/`, in the order they run: ours as modules, those of packages as they are. */
  scripts?: readonly string[]
  /** Use the whole width, for pictures and wide tables. */
  wide?: boolean
  children?: Child
}

/** A whole page of the console. */
export function Page({ reader, title, section, scripts = [], wide = false, children }: PageProps) {
  return (
    <Shell
      reader={reader}
      title={title}
      head={
        <>
          <meta name="htmx-config" content={HTMX_CONFIG} />
          <script src="/assets/htmx.js" defer />
          <script src="/assets/views/layout/client/console.ts" type="module" />
          {scripts.map((script) => (
            <script src={`/assets/${script}`} type={script.endsWith('.ts') ? 'module' : undefined} defer />
          ))}
        </>
      }
    >
      <a class="skip" href="#main">
        Skip to content
      </a>
      <header class="bar">
        <a class="brand" href="/">
          <img src="/assets/views/layout/weir.svg" alt="" width="24" height="24" /> Weir
        </a>
        <Sections current={section} />
        <button type="button" class="needs-script" id="open-palette" aria-haspopup="dialog">
          Find <kbd>Ctrl K</kbd>
        </button>
        <Menu current={section} />
        <Who {...reader} />
      </header>
      <div class="connection" id="connection" role="status" />
      <p class="notice" id="notice" role="alert" hidden />
      <PagesOfSection current={section} />
      <main id="main" class={wide ? 'wide' : undefined}>
        {children}
      </main>
      <Palette pages={DESTINATIONS} />
      <Shortcuts />
    </Shell>
  )
}

/** Who is signed in. Empty where no one has to be, so that the bar keeps its shape. */
function Who({ caller, how }: Pick<Reader, 'caller' | 'how'>) {
  if (caller === undefined || how === 'open') return <div class="who" />
  return (
    <div class="who">
      <span class="who-name" title={`Scope: ${caller.scope}`}>
        {caller.name}
      </span>
      {/* A program sends its secret with every request: it has nothing to sign out of. */}
      {how === 'cookie' && (
        <form method="post" action="/logout">
          <button type="submit">Sign out</button>
        </form>
      )}
    </div>
  )
}
