import type { TSchema } from '@sinclair/typebox'
import type { ChannelFieldView, ChannelFormData } from '../../../views/channels/channel-form.tsx'
import type { ChannelView } from '../../channels/channels.ts'
import type { AnyKind } from '../../channels/kinds.ts'

export interface ChannelFormState {
  /** What was typed; secrets are never shown again. */
  values?: Readonly<Record<string, string>>
  error?: { field: string | undefined; detail: string }
}

const CONFIG = 'config.'

/** The form that adds a channel of a kind, or changes one. */
export function channelForm(
  kind: AnyKind,
  { values, error }: ChannelFormState,
  channel?: ChannelView,
): ChannelFormData {
  return {
    kind: kind.name,
    name: values?.name ?? channel?.name,
    tags: values?.tags ?? channel?.tags.join(', '),
    isDefault: values === undefined ? (channel?.isDefault ?? false) : values.isDefault !== undefined,
    fields: fieldsOf(kind, values, channel?.config),
    error,
  }
}

/** The values of a form's fields. An empty secret of an existing channel stays as it is. */
export function channelInput(kind: AnyKind, values: Readonly<Record<string, string>>, isNew: boolean) {
  const config: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(kind.schema.properties)) {
    const text = values[CONFIG + name]?.trim() ?? ''
    if (values[`remove.${CONFIG}${name}`] !== undefined) config[name] = null
    else if (text !== '') config[name] = readValue(text, schema)
    else if (!isNew && !kind.secrets.includes(name)) config[name] = null
  }
  return {
    name: values.name?.trim() ?? '',
    config,
    tags: (values.tags ?? '')
      .split(',')
      .map((tag) => tag.trim())
      .filter(Boolean),
    isDefault: values.isDefault !== undefined,
  }
}

function fieldsOf(
  kind: AnyKind,
  values: Readonly<Record<string, string>> | undefined,
  config: Readonly<Record<string, unknown>> | undefined,
): ChannelFieldView[] {
  const example = config === undefined ? (kind.example?.() ?? {}) : {}
  return Object.entries(kind.schema.properties).map(([name, schema]) => {
    const isSecret = kind.secrets.includes(name)
    const isKept = isSecret && config?.[name] !== undefined
    const known = isSecret ? example[name] : (config?.[name] ?? example[name])
    const choices = (schema.anyOf as { const: string }[] | undefined)?.map((choice) => choice.const)
    return {
      name: CONFIG + name,
      title: (schema.title as string | undefined) ?? name,
      description: schema.description,
      isRequired: !isKept && (kind.schema.required?.includes(name) ?? false),
      // A generated secret is shown, so that it can be copied to the receiver.
      type:
        schema.type === 'integer' ? 'number' : isSecret && example[name] === undefined ? 'password' : 'text',
      ...(choices && { choices }),
      value: (isSecret ? undefined : values?.[CONFIG + name]) ?? textOf(known),
      placeholder: isKept ? 'unchanged' : undefined,
      isList: schema.type === 'array',
      isRemovable: isKept && !(kind.schema.required?.includes(name) ?? false),
    }
  })
}

function readValue(text: string, schema: TSchema): unknown {
  if (schema.type === 'integer') return Number(text)
  if (schema.type !== 'array') return text
  return text
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean)
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined
  return Array.isArray(value) ? value.join(', ') : String(value)
}
