import { FILTER_NAMES, isFiltered, type ListedAs, listLink } from './links.ts'

const SORT_WORDS: Readonly<Record<string, string>> = {
  name: 'Name',
  verdict: 'Verdict',
  lastEvent: 'Last event',
  perMinute: 'Events/min',
  bytes: 'Bytes/min',
  change: 'Change',
  created: 'Registered',
}
const FILTER_WORDS = { q: 'Search', tag: 'Tag', host: 'Host', state: 'Verdict', kind: 'Kind' } as const
const KIND_WORDS: Readonly<Record<string, string>> = { sse: 'Event stream', poll: 'Poll' }
const ORDER_WORDS = { asc: 'Ascending', desc: 'Descending' } as const

/** Narrows the list, by page loads: what it is narrowed by is a link that somebody else can be given. */
export function FilterForm({ listed }: { listed: ListedAs }) {
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: search would be one more element between the form and what lays it out */}
      <form class="filter" method="get" action="/streams" role="search">
        <label class="search">
          Search
          <input type="search" name="q" value={listed.q} placeholder="Name or URL" />
        </label>
        <label>
          Tag
          <input name="tag" value={listed.tag} placeholder="Any" />
        </label>
        <label>
          Host
          <input name="host" value={listed.host} placeholder="Any" />
        </label>
        <Choice label="Kind" name="kind" none="Any" words={KIND_WORDS} chosen={listed.kind} />
        <div class="order">
          <Choice label="Sort by" name="sort" none="Registration" words={SORT_WORDS} chosen={listed.sort} />
          <Choice label="Order" name="order" none="Usual" words={ORDER_WORDS} chosen={listed.order} />
        </div>
        {listed.state && <input type="hidden" name="state" value={listed.state} />}
        <button type="submit">Filter</button>
      </form>
      {isFiltered(listed) && <Chips listed={listed} />}
    </>
  )
}

function Chips({ listed }: { listed: ListedAs }) {
  const { sort, order } = listed
  return (
    <ul class="chips" aria-label="Filters">
      {FILTER_NAMES.filter((name) => listed[name]).map((name) => {
        const value = (name === 'kind' && KIND_WORDS[listed.kind ?? '']) || listed[name]
        return (
          <li>
            <a
              href={listLink({ ...listed, [name]: undefined })}
              aria-label={`Remove the filter ${FILTER_WORDS[name]}: ${value}`}
            >
              {FILTER_WORDS[name]}: <strong>{value}</strong> <span aria-hidden="true">✕</span>
            </a>
          </li>
        )
      })}
      <li>
        <a class="plain" href={listLink({ sort, order })}>
          Show all
        </a>
      </li>
    </ul>
  )
}

interface ChoiceProps {
  label: string
  name: string
  /** What leaving it open is called. */
  none: string
  words: Readonly<Record<string, string>>
  chosen: string | undefined
}

function Choice({ label, name, none, words, chosen }: ChoiceProps) {
  return (
    <label>
      {label}
      <select name={name}>
        <option value="">{none}</option>
        {Object.entries(words).map(([value, word]) => (
          <option value={value} selected={value === chosen}>
            {word}
          </option>
        ))}
      </select>
    </label>
  )
}
