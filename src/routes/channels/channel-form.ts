import type { TSchema } from '@sinclair/typebox'
import type { ChannelFormData, FieldView } from '../../../views/channels/channel-form.tsx'
import type { ChannelView } from '../../channels/channels.ts'
import type { AnyKind } from '../../channels/kinds.ts'

export interface FormState {
  /** What was typed; secrets aren't shown again. */
  values?: Readonly<Record<string, string>>
  error?: { field: string | undefined; detail: string }
}

const CONFIG = 'config.'

/** The form that adds a channel of a kind, or changes one. */
export function channelForm(
  kind: AnyKind,
  { values, error }: FormState,
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

/** What a form's fields mean. Of a channel that exists, a secret that is left empty stays. */
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
): FieldView[] {
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
      // A secret that Weir proposes has to be read, to be given to the receiver.
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
