interface Link {
  href: string
  label: string
}

interface Section extends Link {
  /** Its pages, the first one at its own address; omitted if there is no other. */
  pages?: readonly Link[]
}

/** The parts of the console, in the order of its navigation. */
const SECTIONS = [
  { href: '/', label: 'Overview' },
  { href: '/streams', label: 'Streams' },
  { href: '/topology', label: 'Topology' },
  {
    href: '/incidents',
    label: 'Alerts',
    pages: [
      { href: '/incidents', label: 'Incidents' },
      { href: '/rules', label: 'Rules' },
      { href: '/silences', label: 'Silences' },
      { href: '/channels', label: 'Channels' },
    ],
  },
  {
    href: '/twins',
    label: 'Data',
    pages: [
      { href: '/twins', label: 'Twins' },
      { href: '/storage', label: 'Storage' },
      { href: '/archive', label: 'Archive' },
    ],
  },
] as const satisfies readonly Section[]

/** What is rarely needed, behind the menu. The audit log is for admins alone: Settings leads to it. */
const OTHERS = [
  { href: '/settings', label: 'Settings' },
  { href: '/jobs', label: 'Jobs' },
  { href: '/openapi', label: 'API' },
] as const satisfies readonly Link[]

type OfSection<S> = S extends { pages: readonly { href: infer H }[] }
  ? H
  : S extends { href: infer H }
    ? H
    : never
/** The address of a page that the navigation leads to. */
export type Destination = OfSection<(typeof SECTIONS)[number] | (typeof OTHERS)[number]>

const pagesOf = (section: Section): readonly Link[] => section.pages ?? [section]
const hasPage = (section: Section, href: string | undefined) =>
  pagesOf(section).some((page) => page.href === href)

/** Every page that the navigation leads to. */
export const DESTINATIONS: readonly Link[] = [...SECTIONS.flatMap(pagesOf), ...OTHERS]

/** The sections in one line; on narrow screens they are in the {@link Menu}. */
export function Sections({ current }: { current: Destination | undefined }) {
  return (
    <nav class="sections" aria-label="Sections">
      {SECTIONS.map((section: Section) => (
        <a href={section.href} aria-current={hasPage(section, current) ? 'true' : undefined}>
          {section.label}
          {section.href === '/incidents' && <OpenIncidents />}
        </a>
      ))}
    </nav>
  )
}

/** What isn't in the bar: on wide screens the rest, on narrow ones everything. */
export function Menu({ current }: { current: Destination | undefined }) {
  return (
    <details class="menu">
      <summary>
        <span class="of-all">
          Menu <OpenIncidents />
        </span>
        <span class="of-others">More</span>
      </summary>
      <nav aria-label="All pages">
        {SECTIONS.map((section: Section) => (
          <div class="of-all">
            {section.pages && <p>{section.label}</p>}
            <Links pages={pagesOf(section)} current={current} />
          </div>
        ))}
        <div>
          <Links pages={OTHERS} current={current} />
        </div>
      </nav>
    </details>
  )
}

/** The pages of the current section, if it has several. */
export function PagesOfSection({ current }: { current: Destination | undefined }) {
  const section = SECTIONS.find((one: Section) => one.pages !== undefined && hasPage(one, current))
  if (section === undefined) return null
  return (
    <nav class="pages" aria-label={section.label}>
      <Links pages={pagesOf(section)} current={current} />
    </nav>
  )
}

function Links({ pages, current }: { pages: readonly Link[]; current: Destination | undefined }) {
  return pages.map(({ href, label }) => (
    <a href={href} aria-current={href === current ? 'page' : undefined}>
      {label}
      {href === '/incidents' && <OpenIncidents />}
    </a>
  ))
}

/** The number of open incidents: the page's script fills it in and keeps it current. */
function OpenIncidents() {
  return <span class="badge" data-open-incidents hidden />
}
