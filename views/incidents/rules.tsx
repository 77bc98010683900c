import type { Weekday } from '../../src/core/judging/schedule.ts'
import type { RuleKind } from '../../src/incidents/rule-kinds.ts'
import type { Rule } from '../../src/incidents/rules.ts'
import type { Silence } from '../../src/incidents/silences.ts'
import { Curl } from '../layout/curl.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'
import { Live } from '../layout/live.tsx'

export interface SimpleFormState {
  values?: Readonly<Record<string, string>>
  error?: string
}

export interface RuleRow extends Pick<Rule, 'id' | 'name' | 'kind' | 'isEnabled'> {
  scope: string
  /** As JSON. */
  params: string
  thresholds: string
}

export interface RulesPageData {
  rules: readonly RuleRow[]
  kinds: readonly RuleKind[]
  /** An example of the parameters of each kind. */
  examples: Readonly<Record<RuleKind, string>>
  form: SimpleFormState
}

export function RulesPage({ reader, rules, kinds, examples, form }: RulesPageData & ForReader) {
  return (
    <Page reader={reader} title="Rules" section="/rules">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <h1>Rules</h1>
      <RuleList rules={rules} />
      <RuleForm kinds={kinds} examples={examples} form={form} />
      <ParameterExamples kinds={kinds} examples={examples} />
    </Page>
  )
}

function RuleList({ rules }: Pick<RulesPageData, 'rules'>) {
  return (
    <section class="panel" aria-label="Rules">
      <p class="muted">
        A degraded, stalled or dead stream opens an incident without a rule, and so does a certificate that
        expires soon. Add rules for anything else.
      </p>
      {rules.length === 0 ? (
        <p class="empty muted">No rules.</p>
      ) : (
        <ul class="incidents">
          {rules.map((rule) => (
            <RuleItem {...rule} />
          ))}
        </ul>
      )}
    </section>
  )
}

function RuleItem({ id, name, kind, scope, params, thresholds, isEnabled }: RuleRow) {
  return (
    <li class="incident" id={`rule-${id}`}>
      <span class={`status ${isEnabled ? 'live' : 'stopped'}`}>{isEnabled ? 'on' : 'off'}</span>
      <div class="what">
        {name}
        <p class="muted">
          {kind} on {scope}, {thresholds} <code>{params}</code>
        </p>
      </div>
      <form method="post" action={`/rules/${id}/toggle`}>
        <button type="submit">{isEnabled ? 'Turn off' : 'Turn on'}</button>{' '}
        <Curl
          method="PATCH"
          path={`/api/rules/${id}`}
          body={{ isEnabled: !isEnabled }}
          does={`turn ${isEnabled ? 'off' : 'on'} ${name}`}
        />
      </form>
      <form method="post" action={`/rules/${id}/remove`}>
        <button type="submit" aria-label={`Remove ${name}`}>
          Remove
        </button>{' '}
        <Curl method="DELETE" path={`/api/rules/${id}`} does={`remove ${name}`} />
      </form>
    </li>
  )
}

function RuleForm({
  kinds,
  examples,
  form: { values = {}, error },
}: Pick<RulesPageData, 'kinds' | 'examples' | 'form'>) {
  return (
    <form class="panel register" id="add" method="post" action="/rules" aria-label="Add rule">
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
        Parameters (JSON)
        <input
          name="params"
          class="mono"
          placeholder={kinds[0] && examples[kinds[0]]}
          value={values.params}
          spellcheck={false}
        />
      </label>
      <button type="submit" class="primary">
        Add rule
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
  )
}

function ParameterExamples({ kinds, examples }: Pick<RulesPageData, 'kinds' | 'examples'>) {
  return (
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
  )
}

export interface SilenceRow extends Pick<Silence, 'id' | 'reason'> {
  scope: string
  when: string
  /** When it ends, if it is active now. */
  active: string | undefined
}

export interface SilencesPageData {
  silences: readonly SilenceRow[]
  days: readonly Weekday[]
  form: SimpleFormState
}

export function SilencesPage({ reader, silences, days, form }: SilencesPageData & ForReader) {
  return (
    <Page reader={reader} title="Silences" section="/silences">
      <link rel="stylesheet" href="/assets/views/incidents/incidents.css" />
      <h1>Silences</h1>
      <Live href="/silences/live" />
      <SilencesPanel silences={silences} />
      <SilenceForm days={days} form={form} />
    </Page>
  )
}

function SilenceForm({ days, form: { values = {}, error } }: Pick<SilencesPageData, 'days' | 'form'>) {
  return (
    <form class="panel register" id="add" method="post" action="/silences" aria-label="Add silence">
      <label class="grow">
        Reason
        <input name="reason" required maxlength={500} value={values.reason} />
      </label>
      <label>
        Tag
        <input name="tag" maxlength={64} placeholder="All streams" value={values.tag} />
      </label>
      <label>
        Duration (minutes)
        <input name="durationMinutes" type="number" min="1" required value={values.durationMinutes ?? '60'} />
      </label>
      <fieldset>
        <legend>Recurring maintenance window</legend>
        <div class="register">
          <label>
            Start (HH:MM)
            <input
              name="from"
              pattern="([01][0-9]|2[0-3]):[0-5][0-9]"
              placeholder="Now"
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
        Add silence
      </button>
      <Curl path="/api/silences" body={silenceBody(days)} does="add this silence" />
      <p class={error ? 'error result' : 'result'} role="status">
        {error}
      </p>
    </form>
  )
}

/** A silence as it is typed: once, or recurring at a time of day. */
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

/** Active and upcoming silences: on the first page and in every live update. */
export function SilencesPanel({ silences }: { silences: readonly SilenceRow[] }) {
  return (
    <section class="panel" id="silences" aria-label="Silences">
      <p class="muted">
        Incidents still open and appear here during a silence. Notifications wait until it ends.
      </p>
      {silences.length === 0 ? (
        <p class="empty muted">No silences.</p>
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
      <span class={`status ${silence.active ? 'stalled' : 'stopped'}`}>
        {silence.active ? 'active' : 'scheduled'}
      </span>
      <div class="what">
        {silence.reason}
        <p class="muted">
          {silence.scope}, {silence.when}
          {silence.active && <>; active {silence.active}</>}
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
