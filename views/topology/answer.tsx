import type { CallTree } from '../../src/topology/call-tree.ts'

const FIRST_ERROR_STATUS = 400

/** The result of `POST /activate`. */
export function Activated({ item, color }: { item: string; color: string }) {
  return (
    <p>
      {item} is now <strong>{color}</strong>.
    </p>
  )
}

/** Why a form was refused. */
export function RequestRefused({ reason }: { reason: string }) {
  return <p class="error">{reason}</p>
}

export interface RequestSentProps {
  /** Name of the service that was called. */
  through: string
  status: number
  durationMs: number
  /** The response of each service behind it, if the answer holds them. */
  responses: readonly (readonly [service: string, response: string])[]
  /** The calls behind it, if the answer holds them. */
  tree?: CallTree
}

/** The result of a request that was sent through a service. */
export function RequestSent({ through, status, durationMs, responses, tree }: RequestSentProps) {
  const hasFailed = status >= FIRST_ERROR_STATUS
  return (
    <>
      <p class={hasFailed ? 'error' : undefined}>
        {through} returned <strong>{status}</strong> in <strong>{durationMs} ms</strong>
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
        <ul class="call-tree" aria-label="Downstream calls">
          <TreeNode call={tree} totalMs={Math.max(tree.durationMs, 1)} />
        </ul>
      )}
    </>
  )
}

function TreeNode({ call, totalMs }: { call: CallTree; totalMs: number }) {
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
          {leftOut > 0 && <li class="muted">{leftOut} more</li>}
        </ul>
      )}
    </li>
  )
}

/** A bar that shows when a call ran within the whole request; its numbers are above it. */
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
