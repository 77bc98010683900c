import type { KeyView } from '../../src/auth/keys.ts'
import { SCOPE, type Scope } from '../../src/core/sets/scopes.ts'
import type { Reader } from '../../src/routes/access/reader.ts'
import { Curl } from '../layout/curl.tsx'
import { Ago } from '../layout/format.tsx'

export interface KeysData {
  /** The newest first. */
  rows: readonly KeyView[]
  scopes: readonly Scope[]
  /** Whether the reader may create and revoke keys. */
  mayManage: boolean
  /** Whether Weir requires sign-in. */
  isClosed: boolean
  /** Public URL of Weir. */
  url: string
  made?: { name: string; secret: string }
  form?: { values: Record<string, string>; error: string }
}

/** In minutes. */
const EXPIRIES = [
  ['', 'Never'],
  ['10080', '7 days'],
  ['43200', '30 days'],
  ['129600', '90 days'],
  ['525600', '1 year'],
] as const

/** The API keys of programs and people. */
export function KeysPanel({ rows, now, caller, ...data }: KeysData & Pick<Reader, 'caller'> & { now: Date }) {
  const isValid = ({ revokedAt, expiresAt }: KeyView) =>
    revokedAt === null && (expiresAt === null || expiresAt > now)
  const valid = rows.filter(isValid)
  const past = rows.filter((row) => !isValid(row))
  return (
    <section class="panel" aria-labelledby="keys">
      <h2 id="keys">
        API keys{' '}
        <span class="muted aside">
          <a href="/audit">Audit log</a>
        </span>
      </h2>
      {data.isClosed && caller && (
        <p class="muted">
          Signed in as {caller.name} with scope {caller.scope}.
        </p>
      )}
      {!data.isClosed && (
        <p class="muted">
          <code>WEIR_TOKEN</code> isn't set, so anyone on this machine has full access. Keys only identify the
          caller.
        </p>
      )}
      {data.made && <Made {...data.made} url={data.url} />}
      {valid.length === 0 ? (
        <p class="muted">No keys. Create one for each program and person.</p>
      ) : (
        <Table rows={valid} mayManage={data.mayManage} />
      )}
      {data.mayManage && <Form {...data} />}
      {past.length > 0 && (
        <details>
          <summary>Revoked or expired ({past.length})</summary>
          <Table rows={past} mayManage={false} />
        </details>
      )}
    </section>
  )
}

function Made({ name, secret, url }: { name: string; secret: string; url: string }) {
  const command = `curl -H "Authorization: Bearer ${secret}" ${url}/api/status`
  return (
    <div class="made" role="status">
      <p>
        Key <strong>{name}</strong> created. Copy it now: Weir stores only its hash and won't show it again.
      </p>
      <p class="made-secret">
        <code class="wrap" id="made-secret">
          {secret}
        </code>
        <button type="button" class="curl needs-script" data-copy={secret} aria-label="Copy the key">
          Copy
        </button>
        <button
          type="button"
          class="curl needs-script"
          data-copy={command}
          aria-label="curl: call the API with this key"
        >
          curl
        </button>
      </p>
    </div>
  )
}

function Table({ rows, mayManage }: { rows: readonly KeyView[]; mayManage: boolean }) {
  return (
    <div class="table-scroll who-rows">
      <table>
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Scope</th>
            <th scope="col">Key</th>
            <th scope="col">Last used</th>
            <th scope="col">Expires</th>
            <th scope="col">Created</th>
            {mayManage && <th scope="col">Actions</th>}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row row={row} mayManage={mayManage} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Row({ row, mayManage }: { row: KeyView; mayManage: boolean }) {
  const { id, name, scope, prefix, createdAt, createdBy, expiresAt, revokedAt, usedAt, usedFrom } = row
  return (
    <tr>
      <th scope="row">
        {name} {revokedAt !== null && <span class="tag">revoked</span>}
      </th>
      <td>{scope}</td>
      <td>
        <code>{prefix}</code>
      </td>
      <td>
        {usedAt === null ? <span class="muted">never</span> : <Ago at={usedAt} />}{' '}
        {usedFrom !== null && <span class="muted">from {usedFrom}</span>}
      </td>
      <td>{expiresAt === null ? <span class="muted">never</span> : <Ago at={expiresAt} />}</td>
      <td>
        <Ago at={createdAt} /> <span class="muted">by {createdBy}</span>
      </td>
      {mayManage && (
        <td>
          <form class="key-actions" method="post" action={`/settings/keys/${id}/revoke`}>
            <button type="submit" aria-label={`Revoke ${name}`}>
              Revoke
            </button>
            <Curl path={`/api/keys/${id}`} method="DELETE" does={`revoke ${name}`} />
          </form>
        </td>
      )}
    </tr>
  )
}

function Form({ scopes, form }: Pick<KeysData, 'scopes' | 'form'>) {
  const { name = '', scope = 'read', expiresIn = '' } = form?.values ?? {}
  return (
    <form class="new-key" method="post" action="/settings/keys#keys">
      <label>
        Name
        <input name="name" required maxlength={100} value={name} autocomplete="off" />
      </label>
      <label>
        Scope
        <select name="scope">
          {scopes.map((each) => (
            <option value={each} selected={each === scope}>
              {each}: {SCOPE[each]}
            </option>
          ))}
        </select>
      </label>
      <label>
        Expires
        <select name="expiresIn">
          {EXPIRIES.map(([minutes, label]) => (
            <option value={minutes} selected={minutes === expiresIn}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <p class="new-key-end">
        <button type="submit">Create key</button>
        <Curl
          path="/api/keys"
          body={{ name: '{name}', scope: '{scope}', expiresAt: '{later:expiresIn}' }}
          does="create a key"
        />
        {form !== undefined && (
          <span class="error" role="alert">
            {form.error}
          </span>
        )}
      </p>
    </form>
  )
}
