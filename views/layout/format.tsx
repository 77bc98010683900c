import { STATUS, type Status } from '../../src/core/sets/statuses.ts'
import { utcMinute } from '../../src/core/units.ts'

export { bytes, percent, rate, savedPercent } from '../../src/core/units.ts'

interface AgoProps {
  at: Date | undefined
  none?: string
  /** Whether it is a tab stop. Not in rows of long lists, where each would add a stop. */
  isStop?: boolean
}

/**
 * An instant as people read it: relative, the exact one on hover, on focus and on tap. The page's script keeps it
 * current.
 */
export function Ago({ at, none = 'never', isStop = true }: AgoProps) {
  if (at === undefined) return <span class="muted">{none}</span>
  return (
    <time datetime={at.toISOString()} data-relative tabindex={isStop ? 0 : undefined}>
      {at.toISOString().slice(11, 19)}
    </time>
  )
}

/** An instant to the minute, in UTC. */
export function Minute({ at }: { at: Date }) {
  return <time datetime={at.toISOString()}>{utcMinute(at)}</time>
}

/** A day in UTC, with the exact time on hover. */
export function Day({ at }: { at: Date }) {
  const text = at.toISOString()
  return (
    <time datetime={text} title={text}>
      {text.slice(0, 10)}
    </time>
  )
}

/** An instant to the millisecond: in UTC, until the page's script writes it in the reader's zone. */
export function ExactTime({ at }: { at: Date }) {
  return (
    <time class="instant" datetime={at.toISOString()} data-exact>
      {at.toISOString().slice(0, 23).replace('T', ' ')}
    </time>
  )
}

/** A status as text, mark and color: never color alone. */
export function StatusBadge({ status, reason }: { status: Status; reason?: string }) {
  return (
    <span class={`status ${status}`} title={reason ?? STATUS[status].description}>
      <span aria-hidden="true">{STATUS[status].mark}</span> {status}
    </span>
  )
}

/** A line of values over time, drawn to the available width. The label includes the last value. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const top = Math.max(...values, 1)
  const step = values.length > 1 ? 100 / (values.length - 1) : 0
  const points = values.map(
    (value, index) => `${(index * step).toFixed(1)},${(24 - (value / top) * 22).toFixed(1)}`,
  )
  return (
    <svg class="sparkline" viewBox="0 0 100 26" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(' ')} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  )
}
