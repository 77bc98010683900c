/** What one look at something says of it. `unknown`: no reason to change one's mind. `none`: it no longer applies. */
export type Look = 'bad' | 'good' | 'unknown' | 'none'

/** Looks in a row that it takes to change one's mind, each at least 1. */
export interface Thresholds {
  failure: number
  success: number
}

/** What was made of the looks so far. */
export interface Alarm {
  isFiring: boolean
  /** Looks in a row that said the opposite of `isFiring`. */
  streak: number
  /** When it went on or off of late, milliseconds since the epoch, oldest first; up to {@link MAX_FLIPS}. */
  flips: readonly number[]
  /** It went on and off too often: one problem until it is calm again. */
  isFlapping: boolean
}

/** How long going on or off is remembered, in milliseconds. */
export const FLAP_WINDOW_MS = 30 * 60_000
/** This many times on or off within the window is flapping: with the third time on. */
export const FLAPPING_FLIPS = 5
/** As few as this end it; well below, so that flapping itself doesn't flap. */
export const CALM_FLIPS = 1
/** The oldest beyond this many are forgotten. */
export const MAX_FLIPS = 20

export const AT_REST: Alarm = { isFiring: false, streak: 0, flips: [], isFlapping: false }

/** Whether it is a problem that people should know of. */
export function isOpen({ isFiring, isFlapping }: Pick<Alarm, 'isFiring' | 'isFlapping'>): boolean {
  return isFiring || isFlapping
}

/** Whether nothing has to be remembered of it. */
export function isAtRest(alarm: Alarm): boolean {
  return !isOpen(alarm) && alarm.streak === 0 && alarm.flips.length === 0
}

/**
 * What another look makes of an alarm. Looks are counted, not timed: a clock that jumps neither opens nor ends a
 * problem. Only flapping has to do with time, and a flip that seems to lie ahead counts as one of now.
 */
export function step(alarm: Alarm, look: Look, thresholds: Thresholds, nowMs: number): Alarm {
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
