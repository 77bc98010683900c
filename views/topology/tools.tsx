/** What the script needs to choose what the picture shows; hidden without one. */
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
        {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the pattern of a combobox asks for these roles, and a list's rows are what it shows */}
        <ul class="search-list" id="search-list" role="listbox" aria-label="Services found" hidden />
      </div>
      <label class="inline">
        Group by
        <select id="grouping">
          <option value="none">nothing</option>
          <option value="group">group</option>
          <option value="kind">kind</option>
          <option value="host">host</option>
        </select>
      </label>
      <label class="inline">
        <input type="checkbox" id="hide-idle" /> Hide idle
      </label>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset brings its own border, margins and least width */}
      <div class="focus-bar" id="focus-bar" role="group" aria-label="Neighbourhood" hidden>
        <label class="inline">
          Only
          <select id="focus-direction" aria-label="Direction">
            <option value="both">around</option>
            <option value="up">who calls</option>
            <option value="down">called by</option>
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
      <ul class="open-groups" id="open-groups" aria-label="Open groups" />
    </div>
  )
}

/** What thickness, colour, dash, fading and shapes of the picture mean. */
export function Legend() {
  return (
    <details class="legend">
      <summary>Legend</summary>
      <ul aria-label="Edges">
        <li>
          <i class="line" /> calls, none failed of late
        </li>
        <li>
          <i class="line flawed" /> long dashes: some failed, under 5 %
        </li>
        <li>
          <i class="line failed" /> short dashes: 5 % or more failed, or the last one did
        </li>
        <li>
          <i class="line thick" /> thicker: more calls a minute (each step ten times as many)
        </li>
        <li>
          <i class="line idle" /> faded: idle
        </li>
        <li>numbers: calls a minute · failed, then p50/p95; between groups the worst of them</li>
      </ul>
      <ul aria-label="Nodes">
        <li>▭ service</li>
        <li>⌭ database</li>
        <li>◫ queue</li>
        <li>⬡ host that Weir follows</li>
        <li>other shapes: parts of Weir, or a group of several</li>
        <li>fill: the colour that the service reported</li>
        <li>● live ○ quiet ◐ stalled ↻ backing-off ✕ dead ■ stopped: what Weir concludes</li>
      </ul>
    </details>
  )
}
