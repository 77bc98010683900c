const FIRST_ERROR_STATUS = 400

/** What `POST /activate` did. */
export function Activated({ item, color }: { item: string; color: string }) {
  return (
    <p>
      {item} is <strong>{color}</strong> now.
    </p>
  )
}

/** Why a form was refused. */
export function Refused({ reason }: { reason: string }) {
  return <p class="error">{reason}</p>
}

export interface SentProps {
  /** Name of the service that was called. */
  through: string
  status: number
  durationMs: number
  /** What each service behind it answered, where the answer tells. */
  responses: readonly (readonly [service: string, response: string])[]
  /** The calls behind it, where the answer carries them. */
  tree?: TreeView
}

/** One call in an answer's tree. */
export interface TreeView {
  service: string
  status: number
  durationMs: number
  /** From the start of the whole, where that is known. */
  startedMs?: number
  /** Of a call that was made again, 2 and more. */
  attempt?: number
  error?: string
  calls: readonly TreeView[]
  /** Calls that were left out below this one. */
  leftOut: number
}

/** What a request that was sent through a service came back with. */
export function Sent({ through, status, durationMs, responses, tree }: SentProps) {
  const hasFailed = status >= FIRST_ERROR_STATUS
  return (
    <>
      <p class={hasFailed ? 'error' : undefined}>
        {through} answered <strong>{status}</strong> in <strong>{durationMs} ms</strong>
        {hasFailed ? ': the request failed.' : '.'}
      </p>
      {responses.length > 0 && (
        <dl class="responses">
          {responses.map(([service, response]) => (
            <div>
              <dt>{service}</dt>
              <dd>{response}</dd>
            </div>
          ))}
        </dl>
      )}
      {tree !== undefined && (
        <ul class="call-tree" aria-label="Calls behind it">
          <TreeNode call={tree} totalMs={Math.max(tree.durationMs, 1)} />
        </ul>
      )}
    </>
  )
}

function TreeNode({ call, totalMs }: { call: TreeView; totalMs: number }) {
  const { service, status, durationMs, startedMs = 0, attempt = 1, error, calls, leftOut } = call
  const hasFailed = status >= FIRST_ERROR_STATUS || error !== undefined
  return (
    <li>
      <div class={hasFailed ? 'call error' : 'call'}>
        <span class="call-name">
          {service}
          {attempt > 1 && ` (attempt ${attempt})`}
        </span>
        <span>
          {hasFailed ? '✕ ' : ''}
          {status}
        </span>
        <span class="number">{Math.round(durationMs)} ms</span>
        <TimeBar from={startedMs / totalMs} share={durationMs / totalMs} hasFailed={hasFailed} />
        {error !== undefined && <span class="call-error">{error}</span>}
      </div>
      {(calls.length > 0 || leftOut > 0) && (
        <ul>
          {calls.map((below) => (
            <TreeNode call={below} totalMs={totalMs} />
          ))}
          {leftOut > 0 && <li class="muted">and {leftOut} more</li>}
        </ul>
      )}
    </li>
  )
}

/** When a call ran, as part of the whole; its numbers stand above it. */
function TimeBar({ from, share, hasFailed }: { from: number; share: number; hasFailed: boolean }) {
  const x = Math.min(Math.max(from, 0), 0.99)
  const width = Math.min(Math.max(share, 0.01), 1 - x)
  return (
    <svg class="time-bar" width="100%" height="6" aria-hidden="true" display="block">
      <rect width="100%" height="6" rx="3" fill="var(--raised)" />
      <rect
        x={`${(x * 100).toFixed(1)}%`}
        width={`${(width * 100).toFixed(1)}%`}
        height="6"
        rx="3"
        fill={hasFailed ? 'var(--dead)' : 'var(--neon)'}
      />
    </svg>
  )
}
