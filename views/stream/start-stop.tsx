import { Curl } from '../layout/curl.tsx'

export interface StartStopProps {
  id: string
  name: string
  desired: 'running' | 'stopped' | 'idle'
  /** What the answer replaces. */
  target: string
  /** Where the button stands: the answer is that place's fragment. */
  from: 'table' | 'page'
}

/** Start or stop: a form that works without script, and without a page load with it. */
export function StartStop({ id, name, desired, target, from }: StartStopProps) {
  const action = desired === 'running' ? 'stop' : 'start'
  const path = `/streams/${id}/${action}?from=${from}`
  return (
    <form method="post" action={path} hx-post={path} hx-target={target} hx-swap="outerMorph">
      <button
        type="submit"
        id={`toggle-${id}`}
        aria-label={`${action === 'stop' ? 'Stop' : 'Start'} ${name}`}
      >
        {action === 'stop' ? 'Stop' : 'Start'}
      </button>{' '}
      <Curl path={`/api/streams/${id}/${action}`} does={`${name}: ${action}`} />
    </form>
  )
}
