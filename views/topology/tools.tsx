import { STATUSES, statusLabel } from '../../src/core/sets/statuses.ts'

/** Controls for what the picture shows; hidden without script. */
export function Tools() {
  return (
    <div class="tools" id="tools" hidden>
      <div class="search">
        <input
          id="search"
          type="search"
          role="combobox"
          aria-expanded="false"
          aria-controls="search-list"
          aria-autocomplete="list"
          aria-label="Find a service"
          aria-keyshortcuts="/"
          autocomplete="off"
          spellcheck={false}
          maxlength={100}
          placeholder="Find a service  ( / )"
        />
        {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the combobox pattern requires these roles, and it shows the rows of a list */}
        <ul class="search-list" id="search-list" role="listbox" aria-label="Matching services" hidden />
      </div>
      <label class="inline">
        Group by
        <select id="grouping">
          <option value="none">No grouping</option>
          <option value="group">Group</option>
          <option value="kind">Kind</option>
          <option value="host">Host</option>
        </select>
      </label>
      <label class="inline">
        <input type="checkbox" id="hide-idle" /> Hide idle
      </label>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset brings its own border, margins and least width */}
      <div class="focus-bar" id="focus-bar" role="group" aria-label="Neighborhood" hidden>
        <label class="inline">
          Show
          <select id="focus-direction" aria-label="Direction">
            <option value="both">neighbors of</option>
            <option value="up">callers of</option>
            <option value="down">callees of</option>
          </select>
        </label>
        <strong id="focus-name" />
        <label class="inline">
          within
          <select id="focus-steps" aria-label="Distance">
            <option value="1">1 step</option>
            <option value="2">2 steps</option>
            <option value="3">3 steps</option>
          </select>
        </label>
        <button type="button" id="focus-off">
          Show all
        </button>
      </div>
      <ul class="open-groups" id="open-groups" aria-label="Expanded groups" />
    </div>
  )
}

/** Explains the widths, colors, dashes and shapes in the picture. */
export function Legend() {
  return (
    <details class="legend">
      <summary>Legend</summary>
      <ul aria-label="Edges">
        <li>
          <i class="line" /> solid: no errors in the last 5 min
        </li>
        <li>
          <i class="line flawed" /> long dashes: under 5% errors
        </li>
        <li>
          <i class="line failed" /> short dashes: 5% errors or more, or the last call failed
        </li>
        <li>
          <i class="line thick" /> thicker: more calls per minute (10× per step)
        </li>
        <li>
          <i class="line idle" /> faded: idle
        </li>
        <li>
          <i class="line unseen" /> dotted: declared, never seen
        </li>
        <li>numbers: calls per minute · errors, then p50/p95 latency; between groups, the worst</li>
      </ul>
      <ul aria-label="Nodes">
        <li>▭ service</li>
        <li>⌭ database</li>
        <li>◫ queue</li>
        <li>⬡ followed host</li>
        <li>other shapes: parts of Weir, or groups</li>
        <li>fill: the color reported by the service</li>
        <li>{STATUSES.map(statusLabel).join(' ')}: status</li>
      </ul>
    </details>
  )
}
