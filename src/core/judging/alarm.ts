/** The result of one evaluation. `unknown`: no reason to change the state. `none`: it no longer applies. */
export type Evaluation = 'bad' | 'good' | 'unknown' | 'none'

/** Evaluations in a row that change the state, each at least 1. */
export interface Thresholds {
  failure: number
  success: number
}

/** The state after all evaluations so far. */
export interface Alarm {
  isFiring: boolean
  /** Evaluations in a row that contradict `isFiring`. */
  streak: number
  /** When it recently went on or off, milliseconds since the epoch, oldest first; up to {@link MAX_FLIPS}. */
  flips: readonly number[]
  /** It went on and off too often: one problem until it is stable again. */
  isFlapping: boolean
}

/** How long going on or off is remembered, in milliseconds. */
export const FLAP_WINDOW_MS = 30 * 60_000
/** This many times on or off within the window is flapping: with the third time on. */
export const FLAPPING_FLIPS = 5
/** Flapping ends at this many: well below, so that flapping itself doesn't flap. */
export const CALM_FLIPS = 1
/** Beyond this many, the oldest are forgotten. */
export const MAX_FLIPS = 20

export const AT_REST: Alarm = { isFiring: false, streak: 0, flips: [], isFlapping: false }

/** Whether it is a problem that people should know about. */
export function isOpen({ isFiring, isFlapping }: Pick<Alarm, 'isFiring' | 'isFlapping'>): boolean {
  return isFiring || isFlapping
}

/** Whether there is no state to keep. */
export function isAtRest(alarm: Alarm): boolean {
  return !isOpen(alarm) && alarm.streak === 0 && alarm.flips.length === 0
}

/**
 * The alarm after another evaluation. Evaluations are counted, not timed: a clock that jumps neither opens nor ends a problem.
 * Only flapping depends on time, and a flip that seems to be in the future counts as now.
 */
export function step(alarm: Alarm, look: Evaluation, thresholds: Thresholds, nowMs: number): Alarm {
  if (look === 'none') return AT_REST
  const recent = alarm.flips.map((at) => Math.min(at, nowMs)).filter((at) => at > nowMs - FLAP_WINDOW_MS)
  const opposes = look === (alarm.isFiring ? 'good' : 'bad')
  const streak = look === 'unknown' ? alarm.streak : opposes ? alarm.streak + 1 : 0
  const hasFlipped = streak >= (alarm.isFiring ? thresholds.success : thresholds.failure)
  const flips = (hasFlipped ? [...recent, nowMs] : recent).slice(-MAX_FLIPS)
  return {
    isFiring: hasFlipped ? !alarm.isFiring : alarm.isFiring,
    streak: hasFlipped ? 0 : streak,
    flips,
    isFlapping: flips.length > (alarm.isFlapping ? CALM_FLIPS : FLAPPING_FLIPS - 1),
  }
}
