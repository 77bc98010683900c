/** One operation of a difference, its values as text. */
export interface OperationView {
  op: string
  path: string
  from: string | undefined
  before: string | undefined
  after: string | undefined
}

/** What a change does to a document, path by path: what was there, and what is there now. */
export function Operations({ operations }: { operations: readonly OperationView[] }) {
  return (
    <ol class="operations">
      {operations.map((operation) => (
        <Operation {...operation} />
      ))}
    </ol>
  )
}

/** What an operation is called, and the sign that says it without colour. */
const OPERATIONS: Readonly<Record<string, { label: string; sign: string }>> = {
  add: { label: 'added', sign: '+' },
  remove: { label: 'removed', sign: '−' },
  replace: { label: 'changed', sign: '~' },
  move: { label: 'moved', sign: '→' },
  copy: { label: 'copied', sign: '→' },
}

function Operation({ op, path, from, before, after }: OperationView) {
  const { label, sign } = OPERATIONS[op] ?? { label: op, sign: '·' }
  return (
    <li class={label}>
      <span class="operation">
        <span aria-hidden="true">{sign}</span> {label}
      </span>
      <span class="where">
        {from !== undefined && (
          <>
            <Path path={from} /> to{' '}
          </>
        )}
        <Path path={path} />
      </span>
      {before !== undefined && <del class="mono wrap">{before}</del>}
      {after !== undefined && <ins class="mono wrap">{after}</ins>}
    </li>
  )
}

function Path({ path }: { path: string }) {
  return path === '' ? <span>the whole document</span> : <code class="wrap">{path}</code>
}
