/** A word of a type, or the name of a schema that is told elsewhere. */
export type WordView = string | { schema: string }

export interface FieldView {
  /** From the outermost object, with `[]` for what is in a list. */
  path: string
  words: readonly WordView[]
  isRequired: boolean
  description: string
  bounds: string
}

export interface ParameterView extends Omit<FieldView, 'path'> {
  name: string
  place: 'path' | 'query' | 'header'
  choices: readonly string[]
}

export interface SchemaView {
  name: string
  description: string
  words: readonly WordView[]
  fields: readonly FieldView[]
}

/** A schema with a name, in full. */
export function Schema({ name, description, words, fields }: SchemaView) {
  return (
    <details class="schema">
      <summary>
        <h3>{name}</h3>
        <span class="muted">{description}</span>
      </summary>
      <div class="what" id={`schema-${name}`}>
        {fields.length === 0 ? <Words words={words} /> : <Fields fields={fields} />}
      </div>
    </details>
  )
}

export function Fields({ fields }: { fields: readonly FieldView[] }) {
  return (
    <dl class="fields">
      {fields.map(({ path, words, isRequired, description, bounds }) => (
        <div>
          <dt>{path}</dt>
          <dd>
            <Words words={words} />{' '}
            <span class="muted">{[isRequired ? '' : 'optional', bounds].filter(Boolean).join(', ')}</span>
            {description !== '' && (
              <span class="meaning">
                <Prose text={description} />
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}

export function Words({ words }: { words: readonly WordView[] }) {
  return (
    <span class="type">
      {words.map((word) =>
        typeof word === 'string' ? word : <a href={`#schema-${word.schema}`}>{word.schema}</a>,
      )}
    </span>
  )
}

/** A sentence in which what stands between backticks is code. */
export function Prose({ text }: { text: string }) {
  return <>{text.split('`').map((part, index) => (index % 2 === 1 ? <code>{part}</code> : part))}</>
}
