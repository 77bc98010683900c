import { Curl } from '../layout/curl.tsx'

/** One input of a kind's config. */
export interface ChannelFieldView {
  /** As it is sent, such as `config.url`. */
  name: string
  title: string
  description: string | undefined
  isRequired: boolean
  type: 'text' | 'number' | 'password'
  /** The options, for a choice. */
  choices?: readonly string[]
  value: string | undefined
  /** Placeholder that explains an empty input. */
  placeholder: string | undefined
  /** A secret that can be removed; an empty input keeps it. */
  isRemovable: boolean
  /** Whether it takes several, with commas between them. */
  isList: boolean
}

export interface ChannelFormData {
  kind: string
  name: string | undefined
  tags: string | undefined
  isDefault: boolean
  fields: readonly ChannelFieldView[]
  error?: { field: string | undefined; detail: string }
}

/** Adds or changes a channel; after an error, with what was typed except secrets, and the error. */
export function ChannelForm({
  kind,
  name,
  tags,
  isDefault,
  fields,
  error,
  action,
  button,
}: ChannelFormData & { action: string; button: string }) {
  const invalid = (field: string) => (error?.field === field ? 'true' : undefined)
  return (
    <form class="channel-form" method="post" action={action} aria-label={`${button} channel`}>
      <input type="hidden" name="kind" value={kind} />
      <label>
        Name
        <input
          name="name"
          required
          maxlength={64}
          value={name}
          aria-invalid={invalid('name')}
          autocomplete="off"
        />
      </label>
      {fields.map((field) => (
        <Field {...field} invalid={invalid(field.name)} />
      ))}
      <div class="field">
        <label>
          Tags
          <input
            name="tags"
            placeholder="shop, eu"
            value={tags}
            aria-invalid={invalid('tags')}
            aria-describedby="about-tags"
          />
        </label>
        <small id="about-tags">Notify about streams with any of these tags.</small>
      </div>
      <label class="check">
        <input type="checkbox" name="isDefault" value="yes" checked={isDefault} />
        Default: notify about streams without a channel of their own
      </label>
      {error && (
        <p class="error" role="alert">
          {error.detail}
        </p>
      )}
      <button type="submit" class="primary">
        {button}
      </button>{' '}
      <Curl
        method={action === '/channels' ? 'POST' : 'PATCH'}
        path={`/api${action}`}
        body={{
          ...(action === '/channels' && { kind }),
          name: '{name}',
          tags: '{listed:tags}',
          isDefault: '{switch:isDefault}',
          config: Object.fromEntries(fields.map(configValue)),
        }}
        does={action === '/channels' ? 'create this channel' : 'change this channel'}
      />
    </form>
  )
}

/** The placeholder of a field in a command, by its name in the config. */
function configValue({ name, type, isList }: ChannelFieldView): [string, string] {
  const read = type === 'number' ? 'number:' : isList ? 'list:' : ''
  return [name.replace(/^config\./, ''), `{${read}${name}}`]
}

function Field({ invalid, ...field }: ChannelFieldView & { invalid: string | undefined }) {
  const about = field.description && `about-${field.name}`
  return (
    <div class="field">
      {/* biome-ignore lint/a11y/noLabelWithoutControl: its control is one of the two below */}
      <label>
        {field.title}
        {field.choices === undefined ? (
          <input
            name={field.name}
            type={field.type}
            required={field.isRequired}
            value={field.value}
            placeholder={field.placeholder}
            aria-invalid={invalid}
            aria-describedby={about}
            autocomplete={field.type === 'password' ? 'new-password' : 'off'}
          />
        ) : (
          <select name={field.name} aria-invalid={invalid} aria-describedby={about}>
            {!field.isRequired && <option value="">{field.placeholder ?? 'Default'}</option>}
            {field.choices.map((choice) => (
              <option value={choice} selected={field.value === choice}>
                {choice}
              </option>
            ))}
          </select>
        )}
      </label>
      {field.description && <small id={about}>{field.description}</small>}
      {field.isRemovable && (
        <label class="check">
          <input type="checkbox" name={`remove.${field.name}`} value="yes" />
          Remove
        </label>
      )}
    </div>
  )
}
