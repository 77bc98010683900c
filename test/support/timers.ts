import { spyOn } from 'bun:test'

/** A timer that was set and neither fired nor cleared. */
export interface HeldTimer {
  ms: number
  /** Lets its time be over. */
  fire(): void
}

/** Timers that a test lets end when it wants, instead of waiting for them. */
export interface HeldTimers extends Disposable {
  /** Those that are set now. */
  set(): HeldTimer[]
}

/** From now on, `setTimeout` and `setInterval` only note what they were asked for. */
export function holdTimers(): HeldTimers {
  const held = new Map<unknown, HeldTimer>()
  const hold = (isOnce: boolean) =>
    ((act: () => void, ms = 0) => {
      const timer = { ref: () => timer, unref: () => timer, hasRef: () => false }
      held.set(timer, {
        ms,
        fire() {
          if (isOnce) held.delete(timer)
          act()
        },
      })
      return timer
    }) as never
  const clear = ((timer: unknown) => void held.delete(timer)) as never
  const spies = [
    spyOn(globalThis, 'setTimeout').mockImplementation(hold(true)),
    spyOn(globalThis, 'setInterval').mockImplementation(hold(false)),
    spyOn(globalThis, 'clearTimeout').mockImplementation(clear),
    spyOn(globalThis, 'clearInterval').mockImplementation(clear),
  ]
  return {
    set: () => [...held.values()],
    [Symbol.dispose]() {
      for (const spy of spies) spy.mockRestore()
    },
  }
}
