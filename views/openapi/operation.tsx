import { Fields, type FieldView, type ParameterView, Prose, Words, type WordView } from './schema.tsx'
import { TryIt } from './try.tsx'

export interface OperationView {
  id: string
  method: string
  path: string
  summary: string
  /** Paragraphs have an empty line between them. */
  description: string
  parameters: readonly ParameterView[]
  body: BodyView | undefined
  answers: readonly AnswerView[]
  problems: readonly { status: string; code: string; meaning: string }[]
  /** How errors are told where they are no problem details. */
  ownErrors: string
  /** What it can answer in. */
  types: readonly string[]
  /** A command for a terminal, `{origin}` standing for where Weir is. */
  curl: string
}

export interface BodyView {
  isRequired: boolean
  types: readonly string[]
  /** Of the example. */
  type: string
  words: readonly WordView[]
  fields: readonly FieldView[]
  example: string
}

export interface AnswerView {
  status: string
  description: string
  headers: readonly { name: string; description: string }[]
  contents: readonly ContentView[]
}

export interface ContentView {
  type: string
  words: readonly WordView[]
  fields: readonly FieldView[]
  /** The data of its events, by their names. */
  events: readonly { name: string; words: readonly WordView[]; fields: readonly FieldView[] }[]
  example: string | undefined
}

/** One operation, closed until somebody wants it; a link to its id opens it. */
export function Operation(operation: OperationView) {
  const { id, method, path, summary, description, parameters, body, answers } = operation
  const words = `${method} ${path} ${summary} ${id}`.toLowerCase()
  return (
    <details class="operation" data-words={words}>
      <summary>
        <Method method={method} />
        <h3>
          <code class="path">{path}</code>
        </h3>
        <span class="summary">{summary}</span>
      </summary>
      <div class="what" id={id}>
        {description.split('\n\n').map((paragraph) => (
          <p>
            <Prose text={paragraph} />
          </p>
        ))}
        {parameters.length > 0 && <Parameters parameters={parameters} />}
        {body !== undefined && <Body {...body} />}
        <section>
          <h4>Answers</h4>
          {answers.map((answer) => (
            <Answer {...answer} />
          ))}
        </section>
        <Problems {...operation} />
        <section>
          <h4>
            In a terminal <CopyCurl {...operation} />
          </h4>
          <pre class="command">{operation.curl.replace('{origin}', '')}</pre>
        </section>
        <TryIt {...operation} />
      </div>
    </details>
  )
}

export function Method({ method }: { method: string }) {
  return <span class={`method ${method.toLowerCase()}`}>{method}</span>
}

function Parameters({ parameters }: Pick<OperationView, 'parameters'>) {
  const fields = parameters.map(({ name, place, bounds, ...rest }) => {
    const where = place === 'query' ? '' : `in the ${place}`
    return { ...rest, path: name, bounds: [where, bounds].filter(Boolean).join(', ') }
  })
  return (
    <section>
      <h4>Parameters</h4>
      <Fields fields={fields} />
    </section>
  )
}

function Body({ isRequired, types, words, fields, example }: BodyView) {
  return (
    <section>
      <h4>
        Body <span class="muted">{types.join(', ')}</span>
        {!isRequired && <span class="muted"> optional</span>}
      </h4>
      {fields.length > 0 ? <Fields fields={fields} /> : <Words words={words} />}
      <Example text={example} />
    </section>
  )
}

function Answer({ status, description, headers, contents }: AnswerView) {
  return (
    <div class="answered">
      <p>
        <strong class="status">{status}</strong> <Prose text={description} />
        {headers.map(({ name, description: meaning }) => (
          <span class="header">
            <code>{name}</code> {meaning}
          </span>
        ))}
      </p>
      {contents.map((content) => (
        <Content {...content} />
      ))}
    </div>
  )
}

function Content({ type, words, fields, events, example }: ContentView) {
  return (
    <div class="content">
      <p>
        <code>{type}</code> {events.length === 0 && <Words words={words} />}
      </p>
      {events.map((event) => (
        <p>
          event <code>{event.name}</code> <Words words={event.words} />
        </p>
      ))}
      {events.map((event) => event.fields.length > 0 && <Fields fields={event.fields} />)}
      {fields.length > 0 && <Fields fields={fields} />}
      {example !== undefined && <Example text={example} />}
    </div>
  )
}

function Example({ text }: { text: string }) {
  return (
    <details class="example">
      <summary>Example</summary>
      <pre class="data json" tabindex={0}>
        {text}
      </pre>
    </details>
  )
}

function Problems({ problems, ownErrors }: Pick<OperationView, 'problems' | 'ownErrors'>) {
  if (problems.length === 0 && ownErrors === '') return null
  return (
    <section>
      <h4>
        Errors <span class="muted">{problems.length > 0 && 'application/problem+json'}</span>
      </h4>
      {ownErrors !== '' && (
        <p>
          <Prose text={ownErrors} />
        </p>
      )}
      <ul class="problems">
        {problems.map(({ status, code, meaning }) => (
          <li>
            <a href="#errors" title={meaning}>
              {status} {code}
            </a>
          </li>
        ))}
      </ul>
    </section>
  )
}

function CopyCurl({ curl, summary }: Pick<OperationView, 'curl' | 'summary'>) {
  return (
    <button
      type="button"
      class="curl needs-script"
      title="Copy as a command for a terminal"
      aria-label={`curl: ${summary}`}
      data-curl={curl}
    >
      curl
    </button>
  )
}
