/**
 * The first beat after `nowMs` on the grid of `anchorMs`. A poll that outlasts its interval skips beats; it doesn't
 * shift them.
 * @returns milliseconds since the epoch, always later than `nowMs`
 */
export function nextBeat(anchorMs: number, intervalMs: number, nowMs: number): number {
  return anchorMs + (Math.floor((nowMs - anchorMs) / intervalMs) + 1) * intervalMs
}
