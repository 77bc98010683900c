import type { Child } from 'hono/jsx'
import { Curl } from '../layout/curl.tsx'
import { Page } from '../layout/layout.tsx'

export interface StreamFormData {
  stream: { id: string; name: string; kind: 'sse' | 'poll' }
  /** What is typed in, by the name of the field; headers' values aren't among them. */
  values: Readonly<Record<string, string>>
  /** Names of the headers that are sent; their values are never shown. */
  headers: readonly string[]
  /** Names of the channels there are. */
  channels: readonly string[]
  /** Why what is asked for can't be changed here; then those fields are left out. */
  fixed: 'proxied' | 'twin' | undefined
  alwaysOn: boolean
  error?: { field: string | undefined; detail: string }
  /** Headers that saving would drop, as the URL leads to another origin: to be confirmed. */
  dropping?: { from: string; to: string; headers: readonly string[] }
}

const FIXED = {
  proxied: 'What is asked for is what its subscribers asked the proxy for: that can’t be changed here.',
  twin: 'It follows what its twin polls: what is asked for is changed there.',
}

/** Changes a stream. */
export function StreamEditPage(data: StreamFormData) {
  const { stream, error, fixed } = data
  return (
    <Page title={`Edit ${stream.name}`} section="/streams">
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
        <Text form={data} name="tags" title="Tags" hint="Separated by commas." placeholder="shop, eu" />
        {fixed === undefined ? <Asked {...data} /> : <p class="muted wide">{FIXED[fixed]}</p>}
        <fieldset>
          <legend>Who is told</legend>
          <Text
            form={data}
            name="notify"
            title="Channels"
            hint={
              data.channels.length === 0
                ? 'There is no channel yet.'
                : `Names, separated by commas: ${data.channels.join(', ')}. None: by tag, or the default ones.`
            }
          />
        </fieldset>
        <fieldset>
          <legend>What is kept, where closer than for all</legend>
          <Text form={data} name="retentionDays" title="Days" type="number" min="0" step="any" />
          <Text form={data} name="retentionEntries" title="Entries" type="number" min="1" step="1" />
          <Text form={data} name="retentionMegabytes" title="Megabytes" type="number" min="0" step="any" />
          {error?.field === 'retention' && <small class="error">{error.detail}</small>}
        </fieldset>
        {fixed === 'proxied' && (
          <label class="check">
            <input type="checkbox" name="alwaysOn" value="yes" checked={data.alwaysOn} />
            Runs on while nobody subscribes
          </label>
        )}
        <p class="actions wide">
          <button type="submit" class="primary">
            {data.dropping ? 'Save without them' : 'Save'}
          </button>
          <Curl
            method="PATCH"
            path={`/api/streams/${stream.id}`}
            body={changeOf(data)}
            emptied={EMPTIED}
            does="make this change"
          />
          <a class="button" href={`/streams/${stream.id}`}>
            Cancel
          </a>
        </p>
      </form>
    </Page>
  )
}

/** Said before it is done: the same form sent again does it. */
function Dropping({ from, to, headers }: NonNullable<StreamFormData['dropping']>) {
  return (
    <div class="wide" role="alert">
      <p>
        Not saved yet. The new URL leads to {to}. {headers.length === 1 ? 'A header' : 'Headers'} entered for{' '}
        {from} will be dropped: <strong>{headers.join(', ')}</strong>. To keep one, enter its value again.
      </p>
      <input type="hidden" name="dropping" value={[to, ...headers].join(' ')} />
    </div>
  )
}

/** What a field that is emptied means. */
const EMPTIED = {
  name: '',
  tags: [],
  notify: [],
  retention: null,
  body: '',
  silenceMs: null,
  payloadPointer: '',
  ignorePaths: [],
  arrayKeys: [],
}

/**
 * The form as a change. Headers that are sent already aren't known to the page, and a change names all of them: then
 * they are left out.
 */
function changeOf({ fixed, headers }: StreamFormData) {
  return {
    name: '{name}',
    tags: '{list:tags}',
    notify: '{list:notify}',
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
      method: '{method}',
      ...(headers.length === 0 && { headers: '{headers:headers}' }),
      body: '{body}',
      payloadPointer: '{payloadPointer}',
      ignorePaths: '{lines:ignorePaths}',
      arrayKeys: '{list:arrayKeys}',
    }),
    ...(fixed === 'proxied' && { alwaysOn: '{switch:alwaysOn}' }),
  }
}

/** What is asked for, and what of the answer is followed. */
function Asked(form: StreamFormData) {
  return (
    <>
      <fieldset>
        <legend>What is asked for; with a change of it, the document begins anew</legend>
        <div class="wide">
          <Text form={form} name="url" title="URL" type="url" maxlength={8_192} isRequired />
        </div>
        <Choice
          form={form}
          name="kind"
          title="Kind"
          choices={[
            ['sse', 'Event stream'],
            ['poll', 'Poll'],
          ]}
        />
        {form.stream.kind === 'poll' ? (
          <Text
            form={form}
            name="intervalSeconds"
            field="intervalMs"
            title="Every (seconds)"
            type="number"
            min="0.5"
            step="any"
            isRequired
          />
        ) : (
          <Text
            form={form}
            name="silenceSeconds"
            field="silenceMs"
            title="Connect anew after silence of (seconds)"
            hint="Empty: learnt from the stream's own rhythm."
            type="number"
            min="1"
            step="any"
          />
        )}
        <Choice
          form={form}
          name="method"
          title="Method"
          choices={['GET', 'POST', 'PUT'].map((each) => [each, each] as const)}
        />
        <Headers {...form} />
        <div class="wide">
          <Area form={form} name="body" title="Body" hint="Not with GET." />
        </div>
      </fieldset>
      <fieldset>
        <legend>What of the answer is followed</legend>
        <Text
          form={form}
          name="payloadPointer"
          title="Part of the document"
          hint="JSON Pointer, such as /data; empty is all of it."
        />
        <Area
          form={form}
          name="ignorePaths"
          title="Left out"
          hint="JSON Pointers, one a line; * is any key or index."
        />
        <Text
          form={form}
          name="arrayKeys"
          title="Keys of array members"
          hint="Separated by commas; empty: id, _id, key, uuid."
        />
      </fieldset>
    </>
  )
}

function Headers({ headers, values, error }: StreamFormData) {
  return (
    <div class="wide headers">
      {headers.length > 0 && (
        <small>
          A URL with another scheme, host or port drops these headers unless you enter their values again.
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
            Take it away
          </label>
        </div>
      ))}
      <Area
        form={{ values, error }}
        name="headers"
        title="More headers"
        hint="Name: value, one a line. Values are never shown again."
      />
    </div>
  )
}

interface FieldProps {
  form: Pick<StreamFormData, 'values' | 'error'>
  name: string
  /** What errors call it. Default: its name. */
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
  title,
  choices,
}: FieldProps & { choices: readonly (readonly [string, string])[] }) {
  return (
    <Field {...{ form, field: name, title }}>
      <select id={`field-${name}`} name={name} {...described(form, name, undefined)}>
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
      {/* biome-ignore lint/a11y/noLabelWithoutControl: its control is what it is given */}
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
