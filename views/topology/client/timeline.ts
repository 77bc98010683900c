// Calls and errors of the last 24 hours, drawn behind the scrubber.
import { ask, say } from './dom.ts'
import { byId } from './graph.ts'

/** Steps of five minutes at most: a minute that has begun counts too. */
const POINTS = 300
const HEIGHT = 32
/** A step with any call is to be seen. */
const LEAST_HEIGHT = 1

export interface Point {
  /** ISO 8601. */
  at: string
  calls: number
  errors: number
}

export class Timeline {
  readonly #chart = byId('replay-chart')
  #isLoading = false

  /** Draws a span, in milliseconds since 1970; where the server has none, what was drawn stays. */
  async load(from: number, to: number): Promise<void> {
    if (this.#isLoading) return
    this.#isLoading = true
    try {
      const span = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}`
      const { points } = await ask<{ points: Point[] }>(`/api/topology/timeline?${span}&points=${POINTS}`)
      this.#draw(points)
    } catch {
      // The next one comes soon; the scrubber works without.
    } finally {
      this.#isLoading = false
    }
  }

  #draw(points: readonly Point[]): void {
    const most = Math.max(...points.map(({ calls }) => calls), 1)
    const [all, failed] = this.#chart.querySelectorAll('path')
    all?.setAttribute('d', bars(points.map(({ calls }) => calls / most)))
    failed?.setAttribute('d', bars(points.map(({ errors }) => errors / most)))
    this.#chart.setAttribute('viewBox', `0 0 ${Math.max(points.length, 1)} ${HEIGHT}`)
    const [calls, errors] = [sum(points, 'calls'), sum(points, 'errors')]
    say(byId('replay-summary'), `${calls} calls in 24 h, ${errors} failed`)
  }
}

/** A bar a step, each one wide, on the bottom. */
function bars(shares: readonly number[]): string {
  return shares
    .map((share, index) => {
      const height = share === 0 ? 0 : Math.max(share * HEIGHT, LEAST_HEIGHT)
      return height === 0 ? '' : `M${index} ${HEIGHT}v-${height.toFixed(2)}h0.8v${height.toFixed(2)}z`
    })
    .join('')
}

function sum(points: readonly Point[], name: 'calls' | 'errors'): number {
  return points.reduce((total, point) => total + point[name], 0)
}
