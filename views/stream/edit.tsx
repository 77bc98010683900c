import type { Child } from 'hono/jsx'
import { PUSH_SCHEME, PUSH_SCHEMES } from '../../src/core/sets/push-schemes.ts'
import { eachField, emptyFields, PLAIN_FIELDS } from '../../src/core/sets/stream-fields.ts'
import { isPushed, STREAM_KIND, STREAM_KINDS } from '../../src/core/sets/stream-kinds.ts'
import type { Stream } from '../../src/streams/ingest/run.ts'
import { Curl } from '../layout/curl.tsx'
import { type ForReader, Page } from '../layout/layout.tsx'

export interface StreamFormData {
  stream: Pick<Stream, 'id' | 'name' | 'kind'>
  /** Values by field name, without the values of headers. */
  values: Readonly<Record<string, string>>
  /** Names of the headers that are set; their values are never shown. */
  headers: readonly string[]
  /** Whether there is a secret to sign in with. */
  hasSecret: boolean
  /** Whose certificates its TLS uses. */
  tls: { certificate: Known | null; ca: readonly Known[] } | null
  /** Names of the messages that are set; their texts are never shown. */
  messages: readonly string[]
  /** Names of the existing channels. */
  channels: readonly string[]
  /** Why the request can't be edited here; its fields are left out then. */
  fixed: 'proxied' | 'twin' | undefined
  resumes: boolean
  alwaysOn: boolean
  error?: { field: string | undefined; detail: string }
  /** Headers that saving would drop, because the URL has a different origin; to be confirmed. */
  dropping?: { from: string; to: string; headers: readonly string[] }
}

interface Known {
  subject: string
  expiresAt: string
}

const FIXED = {
  proxied: 'The request of a proxied stream is set by its subscribers and can’t be edited.',
  twin: 'The request of a twin is set on the polled stream. Edit it there.',
}

const USUAL = 'Leave empty for the global setting. Both must be reached.'

/** Changes a stream. */
export function StreamEditPage({ reader, ...data }: StreamFormData & ForReader) {
  const { stream, error, fixed } = data
  return (
    <Page reader={reader} title={`Edit ${stream.name}`} section="/streams">
      <link rel="stylesheet" href="/assets/views/stream/stream.css" />
      <h1 class="wrap">
        Edit <a href={`/streams/${stream.id}`}>{stream.name}</a>
      </h1>
      <form
        class="panel stream-form"
        method="post"
        action={`/streams/${stream.id}/edit`}
        aria-label="Edit stream"
      >
        {error && (
          <p class="error wide" role="alert">
            {error.field === undefined ? error.detail : `Not saved. ${error.detail}`}
          </p>
        )}
        {data.dropping && <Dropping {...data.dropping} />}
        <Text form={data} name="name" title="Name" maxlength={200} isRequired />
        <Plain form={data} part="about" />
        {fixed === undefined ? <Asked {...data} /> : <p class="muted wide">{FIXED[fixed]}</p>}
        <fieldset>
          <legend>Notifications</legend>
          <Plain
            form={data}
            part="notifications"
            hint={
              data.channels.length === 0
                ? 'No channels yet.'
                : `Names, separated by commas: ${data.channels.join(', ')}. Leave empty to use tags or the default channels.`
            }
          />
        </fieldset>
        <fieldset>
          <legend>Dead after</legend>
          <Text
            form={data}
            name="deadAfterFailures"
            title="Failures in a row"
            hint={USUAL}
            type="number"
            min="1"
            step="1"
          />
          <Text
            form={data}
            name="deadAfterSeconds"
            field="deadAfterMs"
            title="Seconds since the first"
            hint={USUAL}
            type="number"
            min="0"
            step="any"
          />
        </fieldset>
        <fieldset>
          <legend>Retention, if stricter than the global limits</legend>
          <Text form={data} name="retentionDays" title="Days" type="number" min="0" step="any" />
          <Text form={data} name="retentionEntries" title="Entries" type="number" min="1" step="1" />
          <Text form={data} name="retentionMegabytes" title="Megabytes" type="number" min="0" step="any" />
          {error?.field === 'retention' && <small class="error">{error.detail}</small>}
        </fieldset>
        {fixed === 'proxied' && (
          <label class="check">
            <input type="checkbox" name="alwaysOn" value="yes" checked={data.alwaysOn} />
            Keep running without subscribers
          </label>
        )}
        <p class="actions wide">
          <button type="submit" class="primary">
            {data.dropping ? 'Save and drop headers' : 'Save'}
          </button>
          <Curl
            method="PATCH"
            path={`/api/streams/${stream.id}`}
            body={changeOf(data)}
            emptied={EMPTIED}
            does="save these changes"
          />
          <a class="button" href={`/streams/${stream.id}`}>
            Cancel
          </a>
        </p>
      </form>
    </Page>
  )
}

/** Warns before headers are dropped: sending the same form again confirms it. */
function Dropping({ from, to, headers }: NonNullable<StreamFormData['dropping']>) {
  return (
    <div class="wide" role="alert">
      <p>
        Not saved yet. The new URL has a different origin, {to}. Saving drops{' '}
        {headers.length === 1 ? 'this header' : 'these headers'} entered for {from}:{' '}
        <strong>{headers.join(', ')}</strong>. To keep a header, enter its value again.
      </p>
      <input type="hidden" name="dropping" value={[to, ...headers].join(' ')} />
    </div>
  )
}

/** The value of a field that is cleared. */
const EMPTIED = {
  name: '',
  ...emptyFields(),
  retention: null,
  body: '',
  silenceMs: null,
  deadAfterFailures: null,
  deadAfterMs: null,
}

/**
 * The form as a change. A change replaces all headers, and the page doesn't know the values of those that are set: if
 * there are any, headers are left out.
 */
function changeOf({ stream, fixed, headers }: StreamFormData) {
  return {
    name: '{name}',
    ...slots((part) => part !== 'response'),
    deadAfterFailures: '{number:deadAfterFailures}',
    deadAfterMs: '{seconds:deadAfterSeconds}',
    retention: {
      maxAgeMs: '{days:retentionDays}',
      maxEntries: '{number:retentionEntries}',
      maxBytes: '{megabytes:retentionMegabytes}',
    },
    ...(fixed === undefined && {
      url: '{url}',
      kind: '{kind}',
      intervalMs: '{seconds:intervalSeconds}',
      silenceMs: '{seconds:silenceSeconds}',
      ...(isPushed(stream.kind)
        ? { push: { scheme: '{pushScheme}', header: '{pushHeader}', idFrom: '{pushIdFrom}' } }
        : !STREAM_KIND[stream.kind].isPolled && { resumes: '{switch:resumes}' }),
      method: '{method}',
      ...(headers.length === 0 && { headers: '{headers:headers}' }),
      body: '{body}',
      repeatable: '{switch:repeatable}',
      cookies: '{cookies}',
      ...slots((part) => part === 'response'),
    }),
    ...(fixed === 'proxied' && { alwaysOn: '{switch:alwaysOn}' }),
  }
}

type Part = (typeof PLAIN_FIELDS)[number]['part']

function slots(isIn: (part: Part) => boolean) {
  return eachField(
    ({ name, type, separator }) =>
      type === 'text' ? `{${name}}` : `{${separator === '\n' ? 'lines' : 'list'}:${name}}`,
    PLAIN_FIELDS.filter(({ part }) => isIn(part)),
  )
}

/** The plain fields of a part of the form. */
function Plain({ form, part, hint }: { form: FieldProps['form']; part: Part; hint?: string }) {
  return (
    <>
      {PLAIN_FIELDS.filter((field) => field.part === part).map((field) => {
        const shared = { form, name: field.name, title: field.label, hint: hint ?? field.hint }
        if (field.separator === '\n') return <Area {...shared} />
        return <Text {...shared} placeholder={field.placeholder} />
      })}
    </>
  )
}

/** The request, and the part of the response to follow. */
function Asked(form: StreamFormData) {
  return (
    <>
      <fieldset>
        <legend>Request (changing it starts a new document)</legend>
        <div class="wide">
          <Text form={form} name="url" title="URL" type="url" maxlength={8_192} isRequired />
        </div>
        <Choice
          form={form}
          name="kind"
          title="Kind"
          choices={STREAM_KINDS.map((kind) => [kind, STREAM_KIND[kind].label] as const)}
        />
        {isPushed(form.stream.kind) ? (
          <PushFields {...form} />
        ) : STREAM_KIND[form.stream.kind].isPolled ? (
          <Text
            form={form}
            name="intervalSeconds"
            field="intervalMs"
            title="Interval (seconds)"
            type="number"
            min="0.5"
            step="any"
            isRequired
          />
        ) : (
          <>
            <Text
              form={form}
              name="silenceSeconds"
              field="silenceMs"
              title="Reconnect after silence (seconds)"
              hint="Leave empty to learn it from the stream."
              type="number"
              min="1"
              step="any"
            />
            <Resumes isChecked={form.resumes} />
          </>
        )}
        <Choice
          form={form}
          name="method"
          title="Method"
          choices={['GET', 'POST', 'PUT'].map((each) => [each, each] as const)}
        />
        <Headers {...form} />
        <div class="wide">
          <Area form={form} name="body" title="Body" hint="Not sent with GET." />
        </div>
        <Check
          name="repeatable"
          title="Safe to repeat"
          hint="A POST or PUT may be sent twice when its connection turns out to be dead."
          isChecked={form.values.repeatable !== undefined}
        />
        <Choice
          form={form}
          name="cookies"
          title="Cookies"
          choices={[
            ['request', 'Keep for one request'],
            ['stream', 'Keep for the stream'],
          ]}
        />
      </fieldset>
      <SigningIn {...form} />
      <Tls {...form} />
      <Messages {...form} />
      <fieldset>
        <legend>Response</legend>
        <Plain form={form} part="response" />
      </fieldset>
    </>
  )
}

/** How what is pushed is verified and identified. */
function PushFields(form: StreamFormData) {
  return (
    <>
      <Text
        form={form}
        name="silenceSeconds"
        field="silenceMs"
        title="Longest time between deliveries (seconds)"
        hint="Leave empty if none is too long."
        type="number"
        min="1"
        step="any"
      />
      <Choice
        form={form}
        name="pushScheme"
        title="Signature"
        choices={PUSH_SCHEMES.map((scheme) => [scheme, PUSH_SCHEME[scheme].label] as const)}
      />
      <div class="field">
        <label>
          Signing secret
          <input type="password" name="pushSecret" placeholder="unchanged" autocomplete="new-password" />
        </label>
      </div>
      <Text form={form} name="pushHeader" title="Signature header" hint="For an HMAC in a header." />
      <Text
        form={form}
        name="pushIdFrom"
        title="Delivery ID from"
        hint="A header, or a JSON Pointer such as /id. Leave empty for what the sender documents."
      />
    </>
  )
}

const TEXTS = {
  first: { title: 'First messages', hint: 'Sent once it is open, one per line.' },
  init: { title: 'Payload of connection_init', hint: 'JSON.' },
  resume: {
    title: 'To resume',
    hint: 'Sent instead after a break, with {lastEventId}; for JSON lines, a query such as since={lastEventId}.',
  },
} as const

/** What is sent on the connection, and where the IDs of events are. */
function Messages(form: StreamFormData) {
  const names: readonly string[] = STREAM_KIND[form.stream.kind].messages
  if (names.length === 0) return null
  return (
    <fieldset>
      <legend>Messages</legend>
      {(['first', 'init', 'resume'] as const)
        .filter((name) => names.includes(name))
        .map((name) => (
          <div class="wide">
            <Area
              form={form}
              name={`messages.${name}`}
              title={TEXTS[name].title}
              hint={`${TEXTS[name].hint} Never shown again${form.messages.includes(name) ? '; leave empty to keep it' : ''}.`}
            />
            {form.messages.includes(name) && (
              <label class="check">
                <input type="checkbox" name={`remove.messages.${name}`} value="yes" />
                Remove
              </label>
            )}
          </div>
        ))}
      <Text
        form={form}
        name="messages.idPointer"
        title="ID pointer"
        hint="JSON Pointer to the ID in an event, such as /id."
        maxlength={1_024}
      />
      {names.includes('pingMs') && (
        <Text
          form={form}
          name="messages.pingMs"
          title="Ping interval (seconds)"
          hint="0 for none. Default: 20."
          type="number"
          min="0"
          step="any"
        />
      )}
      {names.includes('protocol') && (
        <Text form={form} name="messages.protocol" title="Subprotocol" maxlength={200} />
      )}
    </fieldset>
  )
}

function Resumes({ isChecked }: { isChecked: boolean }) {
  return (
    <Check
      name="resumes"
      title="Upstream resumes"
      hint="The upstream sends everything after Last-Event-ID. Without this, a gap is recorded unless event IDs prove that nothing is missing."
      isChecked={isChecked}
    />
  )
}

function Check({ name, title, hint, isChecked }: CheckProps) {
  return (
    <div class="field">
      <label class="check">
        <input
          type="checkbox"
          name={name}
          value="yes"
          checked={isChecked}
          aria-describedby={hint && `hint-${name}`}
        />
        {title}
      </label>
      {hint && <small id={`hint-${name}`}>{hint}</small>}
    </div>
  )
}

interface CheckProps {
  name: string
  title: string
  hint?: string
  isChecked: boolean
}

/** How requests sign in, beyond headers. */
function SigningIn(form: StreamFormData) {
  return (
    <fieldset>
      <legend>Authentication</legend>
      <Choice
        form={form}
        name="auth.type"
        field="auth"
        title="Type"
        choices={[
          ['', 'None, or by headers'],
          ['oauth2', 'OAuth 2.0 client credentials'],
          ['digest', 'HTTP Digest'],
        ]}
      />
      <Text
        form={form}
        name="auth.tokenUrl"
        title="Token endpoint (OAuth 2.0)"
        type="url"
        maxlength={8_192}
      />
      <Text form={form} name="auth.clientId" title="Client ID (OAuth 2.0)" maxlength={1_024} />
      <Text form={form} name="auth.scope" title="Scope (OAuth 2.0)" maxlength={1_024} />
      <Text form={form} name="auth.audience" title="Audience (OAuth 2.0)" maxlength={1_024} />
      <Check
        name="auth.inBody"
        title="Send client credentials in the body"
        isChecked={form.values['auth.inBody'] !== undefined}
      />
      <Text form={form} name="auth.username" title="User (Digest)" maxlength={1_024} />
      <div class="field">
        <label>
          Client secret or password
          <input
            type="password"
            name="auth.secret"
            placeholder={form.hasSecret ? 'unchanged' : undefined}
            autocomplete="new-password"
          />
        </label>
        <small>Never shown again.</small>
      </div>
    </fieldset>
  )
}

/** Of certificates that are set, only whose they are and when they expire. */
function Tls({ tls, values, error }: StreamFormData) {
  // What was typed as a key isn't shown again, not even after an error.
  const form = { values: { ...values, 'tls.key': '' }, error }
  const known = tls === null ? [] : [...(tls.certificate ? [tls.certificate] : []), ...tls.ca]
  return (
    <fieldset>
      <legend>TLS</legend>
      {known.length > 0 && (
        <div class="wide">
          {known.map(({ subject, expiresAt }) => (
            <p>
              {subject}, expires {expiresAt.slice(0, 10)}
            </p>
          ))}
          <Check name="tls.remove" title="Remove these certificates" isChecked={false} />
        </div>
      )}
      <div class="wide">
        <Area form={form} name="tls.certificate" field="tls" title="Client certificate" hint="PEM." />
        <Area
          form={form}
          name="tls.key"
          title="Private key"
          hint="PEM, without a passphrase. Never shown again."
        />
        <Area
          form={form}
          name="tls.ca"
          title="Certificate authorities"
          hint="PEM. Trusted for this stream instead of the public ones."
        />
      </div>
    </fieldset>
  )
}

function Headers({ headers, values, error }: StreamFormData) {
  return (
    <div class="wide headers">
      {headers.length > 0 && (
        <small>
          Changing the scheme, host or port of the URL drops these headers, unless you enter their values
          again.
        </small>
      )}
      {headers.map((name) => (
        <div class="header">
          <label>
            {`Header ${name}`}
            <input
              type="password"
              name={`header.${name}`}
              placeholder="unchanged"
              autocomplete="new-password"
            />
          </label>
          <label class="check">
            <input type="checkbox" name={`remove.${name}`} value="yes" />
            Remove
          </label>
        </div>
      ))}
      <Area
        form={{ values, error }}
        name="headers"
        title="Add headers"
        hint="Name: value, one per line. Values are never shown again."
      />
    </div>
  )
}

interface FieldProps {
  form: Pick<StreamFormData, 'values' | 'error'>
  name: string
  /** Its name in errors. Default: `name`. */
  field?: string
  title: string
  hint?: string
}

interface TextProps extends FieldProps {
  type?: 'text' | 'url' | 'number'
  isRequired?: boolean
  maxlength?: number
  min?: string
  step?: string
  placeholder?: string
}

function Text({ form, name, field = name, title, hint, type = 'text', isRequired, ...rest }: TextProps) {
  return (
    <Field {...{ form, field, title, hint }}>
      <input
        id={`field-${name}`}
        name={name}
        type={type}
        value={form.values[name]}
        required={isRequired}
        autocomplete="off"
        {...described(form, field, hint)}
        {...rest}
      />
    </Field>
  )
}

function Area({ form, name, field = name, title, hint }: FieldProps) {
  return (
    <Field {...{ form, field, title, hint }}>
      <textarea
        id={`field-${name}`}
        name={name}
        rows={3}
        spellcheck={false}
        {...described(form, field, hint)}
      >
        {form.values[name]}
      </textarea>
    </Field>
  )
}

function Choice({
  form,
  name,
  field = name,
  title,
  choices,
}: FieldProps & { choices: readonly (readonly [string, string])[] }) {
  return (
    <Field {...{ form, field, title }}>
      <select id={`field-${name}`} name={name} {...described(form, field, undefined)}>
        {choices.map(([value, label]) => (
          <option value={value} selected={form.values[name] === value}>
            {label}
          </option>
        ))}
      </select>
    </Field>
  )
}

function Field({
  form: { error },
  field,
  title,
  hint,
  children,
}: Omit<FieldProps, 'name' | 'field'> & { field: string; children: Child }) {
  return (
    <div class="field">
      {/* biome-ignore lint/a11y/noLabelWithoutControl: its control is passed as children */}
      <label>
        {title}
        {children}
      </label>
      {hint && <small id={`hint-${field}`}>{hint}</small>}
      {error?.field === field && (
        <small class="error" id={`error-${field}`}>
          {error.detail}
        </small>
      )}
    </div>
  )
}

function described({ error }: FieldProps['form'], field: string, hint: string | undefined) {
  const isWrong = error?.field === field
  const about = [hint && `hint-${field}`, isWrong && `error-${field}`].filter(Boolean).join(' ')
  return { 'aria-invalid': isWrong ? 'true' : undefined, 'aria-describedby': about || undefined } as const
}
