import { Curl } from '../layout/curl.tsx'
import { Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'
import { IncidentsHead } from './incidents.tsx'

export interface FormState {
  values?: Readonly<Record<string, string>>
  error?: string
}

export interface RulesPageData {
  rules: readonly {
    id: string
    name: string
    kind: string
    scope: string
    params: string
    thresholds: string
    isEnabled: boolean
  }[]
  kinds: readonly string[]
  /** An example of the parameters of each kind. */
  examples: Readonly<Record<string, string>>
  form: FormState
}

export function RulesPage({ rules, kinds, examples, form: { values = {}, error } }: RulesPageData) {
  return (
    <Page title="Rules" section="/rules">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <IncidentsHead title="Rules" current="/rules" />
      <section class="panel" aria-label="Rules">
        <p class="muted">That a stream stalls or dies needs no rule. Others:</p>
        {rules.length === 0 ? (
          <p class="empty muted">No rule yet.</p>
        ) : (
          <ul class="incidents">
            {rules.map((rule) => (
              <li class="incident" id={`rule-${rule.id}`}>
                <span class={`verdict ${rule.isEnabled ? 'live' : 'stopped'}`}>
                  {rule.isEnabled ? 'on' : 'off'}
                </span>
                <div class="what">
                  {rule.name}
                  <p class="muted">
                    {rule.kind} of {rule.scope}, {rule.thresholds} <code>{rule.params}</code>
                  </p>
                </div>
                <form method="post" action={`/rules/${rule.id}/toggle`}>
                  <button type="submit">{rule.isEnabled ? 'Turn off' : 'Turn on'}</button>{' '}
                  <Curl
                    method="PATCH"
                    path={`/api/rules/${rule.id}`}
                    body={{ isEnabled: !rule.isEnabled }}
                    does={`turn ${rule.isEnabled ? 'off' : 'on'} ${rule.name}`}
                  />
                </form>
                <form method="post" action={`/rules/${rule.id}/remove`}>
                  <button type="submit" aria-label={`Remove ${rule.name}`}>
                    Remove
                  </button>{' '}
                  <Curl method="DELETE" path={`/api/rules/${rule.id}`} does={`remove ${rule.name}`} />
                </form>
              </li>
            ))}
          </ul>
        )}
      </section>
      <form class="panel register" id="add" method="post" action="/rules" aria-label="Add a rule">
        <label class="grow">
          Name
          <input name="name" required maxlength={200} value={values.name} />
        </label>
        <label>
          Kind
          <select name="kind">
            {kinds.map((kind) => (
              <option value={kind} selected={values.kind === kind}>
                {kind}
              </option>
            ))}
          </select>
        </label>
        <label>
          Tag
          <input name="tag" maxlength={64} placeholder="All streams" value={values.tag} />
        </label>
        <label class="grow">
          Parameters, as JSON
          <input
            name="params"
            class="mono"
            placeholder={examples[kinds[0] ?? '']}
            value={values.params}
            spellcheck={false}
          />
        </label>
        <button type="submit" class="primary">
          Add the rule
        </button>
        <Curl
          path="/api/rules"
          body={{ name: '{name}', kind: '{kind}', tag: '{tag}', params: '{json:params}' }}
          does="add the rule"
        />
        <p class={error ? 'error result' : 'result'} role="status">
          {error}
        </p>
      </form>
      <section class="panel" aria-labelledby="examples-heading">
        <h2 id="examples-heading">Parameters</h2>
        <dl class="facts examples">
          {kinds.map((kind) => (
            <div>
              <dt>{kind}</dt>
              <dd>
                <code>{examples[kind]}</code>
              </dd>
            </div>
          ))}
        </dl>
      </section>
    </Page>
  )
}

export interface SilenceRow {
  id: string
  reason: string
  scope: string
  when: string
  /** Until when it lasts, if it is silent now. */
  active: string | undefined
}

export interface SilencesPageData {
  silences: readonly SilenceRow[]
  days: readonly string[]
  form: FormState
}

export function SilencesPage({ silences, days, form: { values = {}, error } }: SilencesPageData) {
  return (
    <Page title="Silences" section="/silences">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <IncidentsHead title="Silences" current="/silences" />
      <Live href="/silences/live" />
      <SilencesPanel silences={silences} />
      <form class="panel register" id="add" method="post" action="/silences" aria-label="Silence">
        <label class="grow">
          Reason
          <input name="reason" required maxlength={500} value={values.reason} />
        </label>
        <label>
          Tag
          <input name="tag" maxlength={64} placeholder="Everything" value={values.tag} />
        </label>
        <label>
          For (minutes)
          <input
            name="durationMinutes"
            type="number"
            min="1"
            required
            value={values.durationMinutes ?? '60'}
          />
        </label>
        <fieldset>
          <legend>Again and again, as a maintenance window</legend>
          <div class="register">
            <label>
              From (HH:MM)
              <input
                name="from"
                pattern="([01][0-9]|2[0-3]):[0-5][0-9]"
                placeholder="Now, once"
                value={values.from}
              />
            </label>
            <label>
              Time zone
              <input name="timeZone" placeholder="Europe/Berlin" value={values.timeZone} spellcheck={false} />
            </label>
            {/* biome-ignore lint/a11y/useSemanticElements: a fieldset brings its own border, margins and least width */}
            <div class="days" role="group" aria-label="Days">
              {days.map((day) => (
                <label>
                  <input type="checkbox" name={day} checked={values[day] === 'on'} /> {day}
                </label>
              ))}
            </div>
          </div>
        </fieldset>
        <button type="submit" class="primary">
          Silence
        </button>
        <Curl path="/api/silences" body={silenceBody(days)} does="add this silence" />
        <p class={error ? 'error result' : 'result'} role="status">
          {error}
        </p>
      </form>
    </Page>
  )
}

/** A silence as it is typed: once, or with a time of day again and again. */
function silenceBody(days: readonly string[]) {
  return {
    reason: '{reason}',
    tag: '{tag}',
    endsAt: '{later:durationMinutes?!from}',
    schedule: {
      timeZone: '{timeZone?from}',
      days: `{ticked:${days.join()}?from}`,
      from: '{from}',
      durationMinutes: '{number:durationMinutes?from}',
    },
  }
}

/** Those that are not over: on the first page and in every live update. */
export function SilencesPanel({ silences }: { silences: readonly SilenceRow[] }) {
  return (
    <section class="panel" id="silences" aria-label="Silences">
      <p class="muted">Incidents still open and are shown; nobody is told before the silence ends.</p>
      {silences.length === 0 ? (
        <p class="empty muted">No silence.</p>
      ) : (
        <ul class="incidents">
          {silences.map((silence) => (
            <SilenceItem {...silence} />
          ))}
        </ul>
      )}
    </section>
  )
}

export function SilenceItem(silence: SilenceRow) {
  return (
    <li class="incident" id={`silence-${silence.id}`}>
      <span class={`verdict ${silence.active ? 'stalled' : 'stopped'}`}>
        {silence.active ? 'silent' : 'waiting'}
      </span>
      <div class="what">
        {silence.reason}
        <p class="muted">
          {silence.scope}, {silence.when}
          {silence.active && <>; now, {silence.active}</>}
        </p>
      </div>
      <form method="post" action={`/silences/${silence.id}/remove`}>
        <button type="submit" aria-label={`End ${silence.reason}`}>
          End
        </button>{' '}
        <Curl method="DELETE" path={`/api/silences/${silence.id}`} does={`end ${silence.reason}`} />
      </form>
    </li>
  )
}
