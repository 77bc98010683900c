import { STREAM_KIND, STREAM_KINDS } from '../../src/core/sets/stream-kinds.ts'
import type { Order, Sort } from '../../src/streams/registry/listing.ts'
import { FILTER_NAMES, isFiltered, type ListedAs, listLink } from './links.ts'

const SORT_WORDS: Readonly<Record<Sort, string>> = {
  name: 'Name',
  status: 'Status',
  availability: 'Available',
  lastEvent: 'Last event',
  perMinute: 'Events/min',
  bytes: 'Bytes/min',
  change: 'Change',
  created: 'Registered',
}
const FILTER_WORDS = { q: 'Search', tag: 'Tag', host: 'Host', status: 'Status', kind: 'Kind' } as const
const KIND_WORDS: Readonly<Record<string, string>> = Object.fromEntries(
  STREAM_KINDS.map((kind) => [kind, STREAM_KIND[kind].label]),
)
const ORDER_WORDS: Readonly<Record<Order, string>> = { asc: 'Ascending', desc: 'Descending' }

/** Filters the list by page loads, so that a filtered list has a link that can be shared. */
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
          <Choice label="Sort by" name="sort" none="Default" words={SORT_WORDS} chosen={listed.sort} />
          <Choice label="Order" name="order" none="Default" words={ORDER_WORDS} chosen={listed.order} />
        </div>
        {listed.status && <input type="hidden" name="status" value={listed.status} />}
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
              aria-label={`Remove filter ${FILTER_WORDS[name]}: ${value}`}
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
      {listed.tag && (
        <li>
          <a class="plain" href={`/report?${new URLSearchParams({ tag: listed.tag })}`}>
            Report of this tag
          </a>
        </li>
      )}
    </ul>
  )
}

interface ChoiceProps {
  label: string
  name: string
  /** Label of the empty choice. */
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
