import { Curl } from '../layout/curl.tsx'
import { Ago } from '../layout/format.tsx'

export interface KeyRow {
  id: string
  name: string
  scope: string
  prefix: string
  createdAt: Date
  createdBy: string
  expiresAt: Date | null
  revokedAt: Date | null
  usedAt: Date | null
  usedFrom: string | null
}

export interface KeysData {
  /** The newest first. */
  rows: readonly KeyRow[]
  scopes: readonly string[]
  /** Whether the reader may make and revoke them. */
  mayManage: boolean
  /** Whether anybody has to log in. */
  isClosed: boolean
  /** Who reads this. */
  me: { name: string; scope: string }
  /** Where people reach this Weir. */
  url: string
  made?: { name: string; secret: string }
  form?: { values: Record<string, string>; error: string }
}

const SCOPES: Readonly<Record<string, string>> = {
  read: 'read: sees everything, changes nothing',
  operate: 'operate: follows, starts, stops, notifies, silences',
  admin: 'admin: keys, channels, the queues, removing many',
}

/** In minutes. */
const EXPIRIES = [
  ['', 'Never'],
  ['10080', 'In 7 days'],
  ['43200', 'In 30 days'],
  ['129600', 'In 90 days'],
  ['525600', 'In a year'],
] as const

/** The keys that let programs and people in. */
export function Keys({ rows, now, ...data }: KeysData & { now: Date }) {
  const isValid = ({ revokedAt, expiresAt }: KeyRow) =>
    revokedAt === null && (expiresAt === null || expiresAt > now)
  const valid = rows.filter(isValid)
  const past = rows.filter((row) => !isValid(row))
  return (
    <section class="panel" aria-labelledby="keys">
      <h2 id="keys">
        API keys{' '}
        <span class="muted aside">
          <a href="/audit">who did what</a>
        </span>
      </h2>
      {data.isClosed && (
        <p class="muted">
          You are {data.me.name}, with the scope {data.me.scope}.
        </p>
      )}
      {!data.isClosed && (
        <p class="muted">
          This Weir has no <code>WEIR_TOKEN</code>: it lets in whoever is on its machine, and keys only say
          who that is.
        </p>
      )}
      {data.made && <Made {...data.made} url={data.url} />}
      {valid.length === 0 ? (
        <p class="muted">There is none yet. Each program and each person gets one, with what it may do.</p>
      ) : (
        <Table rows={valid} mayManage={data.mayManage} />
      )}
      {data.mayManage && <Form {...data} />}
      {past.length > 0 && (
        <details>
          <summary>Revoked or expired: {past.length}</summary>
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
        The key <strong>{name}</strong>. Keep it now: it is shown this once, and Weir stores no more than a
        hash of it.
      </p>
      <p class="made-secret">
        <code class="wrap" id="made-secret">
          {secret}
        </code>
        <button type="button" class="curl needs-script" data-copy={secret} aria-label="Copy the key">
          copy
        </button>
        <button
          type="button"
          class="curl needs-script"
          data-copy={command}
          aria-label="curl: ask with the key"
        >
          curl
        </button>
      </p>
    </div>
  )
}

function Table({ rows, mayManage }: { rows: readonly KeyRow[]; mayManage: boolean }) {
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
            <th scope="col">Made</th>
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

function Row({ row, mayManage }: { row: KeyRow; mayManage: boolean }) {
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
        Whose it is, or what for
        <input name="name" required maxlength={100} value={name} autocomplete="off" />
      </label>
      <label>
        What it may do
        <select name="scope">
          {scopes.map((each) => (
            <option value={each} selected={each === scope}>
              {SCOPES[each] ?? each}
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
        <button type="submit">Make a key</button>
        <Curl
          path="/api/keys"
          body={{ name: '{name}', scope: '{scope}', expiresAt: '{later:expiresIn}' }}
          does="make a key"
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
