/** Keys, or sequences of two keys, and what they do; those with a path open a page. */
const KEYS: readonly (readonly [keys: string, does: string, path?: string])[] = [
  ['g h', 'Go to Overview', '/'],
  ['g s', 'Go to Streams', '/streams'],
  ['g w', 'Go to Twins', '/twins'],
  ['g t', 'Go to Topology', '/topology'],
  ['g i', 'Go to Incidents', '/incidents'],
  ['g c', 'Go to Channels', '/channels'],
  ['g ,', 'Go to Settings', '/settings'],
  ['j', 'Next row'],
  ['k', 'Previous row'],
  ['/', 'Search this page, or all of Weir'],
  ['?', 'Show these shortcuts'],
]

/** Actions with a page or section of their own. */
const ACTIONS = [
  { href: '/streams/new', label: 'New stream' },
  { href: '/streams#register', label: 'Register an API' },
  { href: '/twins#make', label: 'Create a twin' },
  { href: '/channels#add-heading', label: 'Add a channel' },
  { href: '/silences#add', label: 'Add a silence' },
  { href: '/rules#add', label: 'Add a rule' },
  { href: '/settings#keys', label: 'Create or revoke an API key' },
  { href: '/audit', label: 'View the audit log' },
  { href: '/settings#preferences', label: 'Change preferences' },
] as const

/** Finds pages, actions and streams by name; the page's script opens it and fills in streams and this page's buttons. */
export function Palette({ pages }: { pages: readonly { href: string; label: string }[] }) {
  return (
    <dialog class="palette" id="palette" aria-label="Find pages, streams and actions">
      <input
        id="palette-input"
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-autocomplete="list"
        aria-controls="palette-list"
        aria-label="Find pages, streams and actions"
        placeholder="Page, stream or action"
        autocomplete="off"
        spellcheck={false}
        maxlength={200}
      />
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: the combobox pattern requires these roles, and it shows the rows of a list */}
      <ul id="palette-list" role="listbox" aria-label="Results">
        {pages.map((page) => (
          <Choice {...page} kind="page" />
        ))}
        {ACTIONS.map((action) => (
          <Choice {...action} kind="action" />
        ))}
        <Choice href="#shortcuts" label="Keyboard shortcuts" kind="help" />
      </ul>
      <p class="muted" id="palette-note" role="status" />
    </dialog>
  )
}

function Choice({ href, label, kind }: { href: string; label: string; kind: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: as for the list: an option of a combobox
    // biome-ignore lint/a11y/useFocusableInteractive: the focus stays in the field, which names the option by aria-activedescendant
    <li role="option" aria-selected="false" data-href={href}>
      <span>{label}</span> <span class="muted">{kind}</span>
    </li>
  )
}

/** The sheet of shortcuts, with the switch that turns them off (WCAG 2.1.4). */
export function Shortcuts() {
  return (
    <dialog class="shortcuts" id="shortcuts" aria-labelledby="shortcuts-title">
      <h2 id="shortcuts-title">Keyboard shortcuts</h2>
      <dl>
        {KEYS.map(([keys, does, path]) => (
          <div data-keys={path === undefined ? undefined : keys} data-path={path}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd>{key}</kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Ctrl K</kbd>
          </dt>
          <dd>Find pages, streams and actions (always on)</dd>
        </div>
      </dl>
      <label class="check">
        <input type="checkbox" id="single-keys" checked /> Single-key shortcuts
      </label>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  )
}
