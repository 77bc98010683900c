// Copies what an action does as a command for a terminal, and other texts that stand with a button. The server made
// the command; this fills in what is typed.

/** How long a button says that it has copied, in milliseconds. */
const SAID_MS = 2_000

export function listenForCopies(tell: (text: string) => void): void {
  document.addEventListener('click', (event) => {
    const button = (event.target as Element | null)?.closest<HTMLButtonElement>(
      'button[data-curl], button[data-copy]',
    )
    if (button) void copy(button, tell)
  })
}

async function copy(button: HTMLButtonElement, tell: (text: string) => void): Promise<void> {
  const command = button.dataset.copy ?? commandOf(button)
  try {
    await navigator.clipboard.writeText(command)
  } catch {
    // Without a secure context there is no clipboard: then it is shown, to be copied by hand.
    tell(command)
    return
  }
  button.dataset.label ??= button.textContent ?? ''
  button.textContent = 'Copied'
  setTimeout(() => {
    button.textContent = button.dataset.label ?? ''
  }, SAID_MS)
}

/** The server's command with where the page came from and, where it sends something, what the form's fields hold. */
function commandOf({ dataset, form }: HTMLButtonElement): string {
  const fields = form === null ? new FormData() : new FormData(form)
  const command = (dataset.curl ?? '')
    .replace('{origin}', location.origin)
    .replace(/\{&(\w+)=([\w.-]+)\}/g, (_whole, parameter: string, name: string) =>
      partsOf(textIn(fields, name), '\n')
        .map((each) => `&${parameter}=${escaped(each)}`)
        .join(''),
    )
  if (dataset.curlFile !== undefined) return `${command} ${fileIn(fields, dataset.curlFile)}`
  if (dataset.curlBody === undefined) return command
  const template = JSON.parse(dataset.curlBody) as Record<string, unknown>
  const emptied = dataset.curlEmptied
  const body =
    emptied === undefined || form === null
      ? filledIn(template, fields)
      : changesIn(form, template, JSON.parse(emptied))
  return `${command} -d ${quoted(JSON.stringify(body ?? {}))}`
}

/** As a shell takes it word by word, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Within a URL in double quotes: bash sees its history even there. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll('!', '%21')
}

/** What names of files say they hold; of others, Weir looks at the content. */
const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  tsv: 'text/tab-separated-values',
  ndjson: 'application/x-ndjson',
  jsonl: 'application/x-ndjson',
  yaml: 'application/yaml',
  yml: 'application/yaml',
}

/** The file that is chosen, by its name, or else the text; the two fields are named one after the other. */
function fileIn(fields: FormData, names: string): string {
  const [fileField = '', textField = ''] = names.split(' ')
  const file = fields.get(fileField)
  const name = file instanceof File ? file.name : ''
  const type = TYPES[name.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'text/plain'
  const data = name === '' ? textIn(fields, textField) : `@${name}`
  return `-H 'Content-Type: ${type}' ${name === '' ? '--data-raw' : '--data-binary'} ${quoted(data)}`
}

/** Of what a form sends, the parts that differ from the page as it came; `emptied` says what a part is without a value. */
function changesIn(
  form: HTMLFormElement,
  template: Record<string, unknown>,
  emptied: Record<string, unknown>,
): Record<string, unknown> {
  const before = form.cloneNode(true) as HTMLFormElement
  before.reset()
  const valuesIn = (fields: FormData) =>
    Object.entries(template).map(([key, each]) => [key, filledIn(each, fields) ?? emptied[key]] as const)
  const known = new Map(valuesIn(new FormData(before)))
  const isSame = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
  return Object.fromEntries(
    valuesIn(new FormData(form)).filter(([key, each]) => !isSame(each, known.get(key))),
  )
}

const PLACEHOLDER = /^\{(?:(\w+):)?([\w.,-]+)(?:\?(!?)([\w.-]+))?\}$/

/** A body with what is in the fields in the place of what stands for them; what is empty is left out. */
function filledIn(value: unknown, fields: FormData): unknown {
  if (typeof value === 'object' && value !== null) {
    const filled = Object.entries(value).map(([key, each]) => [key, filledIn(each, fields)])
    const kept = filled.filter(([, each]) => each !== undefined)
    return kept.length === 0 ? undefined : Object.fromEntries(kept)
  }
  const [, type = 'text', name, not, condition] = PLACEHOLDER.exec(String(value)) ?? []
  if (name === undefined) return value
  if (condition !== undefined && (textIn(fields, condition) === '') === (not === '')) return undefined
  return (READERS[type] ?? textOrNothing)(fields, name)
}

/** What a field means, by the type that stands before its name. */
const READERS: Readonly<Record<string, (fields: FormData, name: string) => unknown>> = {
  number: (fields, name) => numberIn(fields, name, 1),
  seconds: (fields, name) => numberIn(fields, name, 1_000),
  days: (fields, name) => numberIn(fields, name, 86_400_000),
  megabytes: (fields, name) => numberIn(fields, name, 1_000_000),
  json: (fields, name) => parsed(textOrNothing(fields, name)),
  flag: (fields, name) => fields.has(name) || undefined,
  switch: (fields, name) => fields.has(name),
  all: (fields, name) => orNothing(fields.getAll(name).map(String)),
  list: (fields, name) => orNothing(partsOf(textIn(fields, name), ',')),
  listed: (fields, name) => partsOf(textIn(fields, name), ','),
  lines: (fields, name) => orNothing(partsOf(textIn(fields, name), '\n')),
  headers: (fields, name) => headersIn(textIn(fields, name)),
  query: (fields, name) => Object.fromEntries(new URLSearchParams(textIn(fields, name))),
  later: (fields, name) => laterBy(numberIn(fields, name, 60_000)),
  ticked: (fields, names) => tickedIn(fields, names.split(',')),
}

/** Those of some boxes that are ticked; none is as all. */
function tickedIn(fields: FormData, names: readonly string[]): readonly string[] {
  const ticked = names.filter((name) => fields.has(name))
  return ticked.length === 0 ? names : ticked
}

function textIn(fields: FormData, name: string): string {
  return String(fields.get(name) ?? '').trim()
}

function textOrNothing(fields: FormData, name: string): string | undefined {
  return textIn(fields, name) || undefined
}

function numberIn(fields: FormData, name: string, unit: number): number | undefined {
  const text = textIn(fields, name)
  return text === '' ? undefined : unit === 1 ? Number(text) : Math.round(Number(text) * unit)
}

function partsOf(text: string, separator: string): string[] {
  return text.split(separator).flatMap((each) => each.trim() || [])
}

function orNothing<T>(list: T[]): T[] | undefined {
  return list.length === 0 ? undefined : list
}

/** Lines such as `Name: value`; those that aren't are left out. */
function headersIn(text: string): Record<string, string> | undefined {
  const pairs = partsOf(text, '\n').flatMap((line) => {
    const at = line.indexOf(':')
    return at > 0 ? [[line.slice(0, at).trim(), line.slice(at + 1).trim()]] : []
  })
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs)
}

/** So long from now, as a time. */
function laterBy(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(Date.now() + ms).toISOString()
}

/** What isn't JSON is sent as it is: the API says what is wrong with it. */
function parsed(text: string | undefined): unknown {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
