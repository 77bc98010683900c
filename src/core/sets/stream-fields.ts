/** A text or list of texts that a stream's owner sets, and that is shown wherever the stream is. */
interface PlainField {
  type: 'text' | 'list'
  /** Label in forms and on the stream's page. */
  label: string
  /** Help text below its input. */
  hint?: string
  placeholder?: string
  /** In the API. */
  description?: string
  /** Longest text, in characters: the whole value, or one member of a list. */
  maxChars: number
  /** Shortest member of a list, in characters. Default: 0. */
  minChars?: number
  /** What a member of a list must match. */
  pattern?: string
  memberDescription?: string
  /** Maximum number of members of a list. */
  maxItems?: number
  /** Separator of list members in a form. Default: a comma. */
  separator?: ',' | '\n'
  /** Its section of the form. Fields in `response` define the request, which proxied streams and twins share. */
  part: 'about' | 'response' | 'notifications'
  /** Option on the command line; without it, only the API and the form can set the field. */
  option?: { name: string; short?: string; value: string; help: string }
  /** Whether the stream's page shows it. */
  isFact?: boolean
}

/** The plain fields, in the order of exports. A new one also needs its column. */
export const STREAM_FIELD = {
  payloadPointer: {
    type: 'text',
    label: 'Payload pointer',
    hint: 'JSON Pointer to the part to follow, such as /data. Leave empty for the whole document.',
    description: 'JSON Pointer (RFC 6901) to the part to follow; empty for the whole document',
    maxChars: 1_024,
    part: 'response',
    option: { name: 'json-pointer', value: 'POINTER', help: 'part of the document to follow, such as /data' },
  },
  select: {
    type: 'text',
    label: 'Select',
    hint: 'For pages, XML and feeds: css: SELECTOR, such as css: .price, css: a | @href or css: li | all; or feed for the items of RSS and Atom.',
    placeholder: 'css: .price',
    description:
      'What of a body that is HTML or XML becomes the document: `feed` for the items of RSS or Atom, or `css: SELECTOR` for the texts of elements, with ` | @ATTRIBUTE`, ` | html` or ` | all` for more; empty: text is stored as text',
    maxChars: 1_024,
    part: 'response',
    option: {
      name: 'select',
      value: 'SELECTION',
      help: 'part of a page, XML or feed to follow: css: .price, or feed',
    },
  },
  ignorePaths: {
    type: 'list',
    label: 'Ignored paths',
    hint: 'JSON Pointers, one per line. * matches any key or index.',
    description: 'Parts of the document to ignore; `*` matches any key or index',
    maxChars: 1_024,
    memberDescription: 'JSON Pointer (RFC 6901)',
    maxItems: 50,
    separator: '\n',
    part: 'response',
  },
  arrayKeys: {
    type: 'list',
    label: 'Array keys',
    hint: 'Separated by commas. Default: id, _id, key, uuid.',
    description: 'Keys that identify array members; default: id, _id, key, uuid',
    maxChars: 100,
    minChars: 1,
    maxItems: 20,
    part: 'response',
  },
  tags: {
    type: 'list',
    label: 'Tags',
    hint: 'Separated by commas.',
    placeholder: 'shop, eu',
    maxChars: 64,
    minChars: 1,
    pattern: '^[^,\\x00-\\x1f]+$',
    maxItems: 20,
    part: 'about',
    option: { name: 'tag', short: 't', value: 'TAG', help: 'tag' },
  },
  notify: {
    type: 'list',
    label: 'Channels',
    description: 'Channels to notify about the stream',
    maxChars: 64,
    minChars: 1,
    maxItems: 20,
    part: 'notifications',
  },
} as const satisfies Record<string, PlainField>

export type PlainName = keyof typeof STREAM_FIELD
/** Values of the plain fields, as stored. */
export type PlainValues = {
  [Name in PlainName]: (typeof STREAM_FIELD)[Name]['type'] extends 'list' ? string[] : string
}

export const STREAM_FIELDS = Object.keys(STREAM_FIELD) as PlainName[]

/** The same with their names, and with every optional property. */
export const PLAIN_FIELDS: readonly (PlainField & { name: PlainName })[] = STREAM_FIELDS.map((name) => ({
  name,
  ...STREAM_FIELD[name],
}))

/** Something for every plain field, or for those of a list. */
export function eachField<T>(
  of: (field: PlainField & { name: PlainName }) => T,
  fields = PLAIN_FIELDS,
): Record<PlainName, T> {
  return Object.fromEntries(fields.map((field) => [field.name, of(field)])) as Record<PlainName, T>
}

/** The plain fields of an object. */
export function plainOf<Values extends Record<PlainName, unknown>>(from: Values): Pick<Values, PlainName> {
  return eachField(({ name }) => from[name]) as Pick<Values, PlainName>
}

/** Their default values. */
export function emptyFields(): PlainValues {
  return eachField(({ type }) => (type === 'list' ? [] : '')) as PlainValues
}
