import { Curl } from '../layout/curl.tsx'

/** Most lines of a list that a preview shows. */
const MAX_SHOWN = 10
const EXAMPLE = 'flowchart LR\n  UI --> D\n  D --> P & H'

/** Declares services and calls before anything is reported of them. */
export function DeclareForm({ text }: { text: string | undefined }) {
  return (
    <details class="panel declare" id="declare">
      <summary>{text === undefined ? 'Declare the topology' : 'Declared topology'}</summary>
      <form
        method="post"
        action="/topology/declared"
        hx-post="/topology/declared"
        hx-target="#declare-answer"
      >
        <label>
          Mermaid flowchart, or the YAML of a simulated graph
          <textarea
            name="text"
            rows={10}
            maxlength={65_536}
            spellcheck={false}
            placeholder={EXAMPLE}
            aria-describedby="declare-help"
          >
            {text}
          </textarea>
        </label>
        <p class="muted" id="declare-help">
          Declared calls are dotted until they are seen.
        </p>
        <button type="submit" name="do" value="preview">
          Preview
        </button>{' '}
        <button class="primary" type="submit" name="do" value="apply">
          Apply
        </button>{' '}
        {text !== undefined && (
          <button type="submit" name="do" value="withdraw" formnovalidate>
            Withdraw
          </button>
        )}{' '}
        <Curl
          path="/api/topology/declared"
          method="PUT"
          body={{ text: '{text}' }}
          does="declare this topology"
        />
        <div class="answer" id="declare-answer" role="status" />
      </form>
    </details>
  )
}

export interface DeclaredNews {
  services: readonly unknown[]
  calls: readonly unknown[]
  newServices: readonly { id: string }[]
  newCalls: readonly Ends[]
  /** Calls that were seen, and aren't declared. */
  undeclared: readonly Ends[]
}

interface Ends {
  from: string
  to: string
}

/** What a declaration would do. */
export function Previewed({ services, calls, newServices, newCalls, undeclared }: DeclaredNews) {
  return (
    <>
      <p>
        {counted(services.length, 'service')}, {counted(calls.length, 'call')}.
      </p>
      <Some title="New services" items={newServices.map(({ id }) => id)} />
      <Some title="New calls" items={newCalls.map(arrow)} />
      <Some title="Calls seen, but not declared" items={undeclared.map(arrow)} />
    </>
  )
}

export function Applied({ services, calls }: DeclaredNews) {
  return (
    <p>
      Declared: {counted(services.length, 'service')}, {counted(calls.length, 'call')}.
    </p>
  )
}

export function Withdrawn() {
  return <p>The declaration is withdrawn. Reported services and calls stay.</p>
}

function Some({ title, items }: { title: string; items: readonly string[] }) {
  if (items.length === 0) return null
  return (
    <>
      <h3>
        {title}: {items.length}
      </h3>
      <ul>
        {items.slice(0, MAX_SHOWN).map((item) => (
          <li>{item}</li>
        ))}
        {items.length > MAX_SHOWN && <li>and {items.length - MAX_SHOWN} more</li>}
      </ul>
    </>
  )
}

function arrow({ from, to }: Ends): string {
  return `${from} → ${to}`
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}
