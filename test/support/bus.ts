import { Bus } from '../../src/bus/bus.ts'
import type { EventType, WeirEvent } from '../../src/bus/events.ts'

/** A bus that throws if a subscriber fails. */
export function testBus(): Bus {
  return new Bus((message, error) => {
    throw new Error(message, { cause: error })
  })
}

/** The events of these types that are published on a bus from now on. */
export function heardOn(bus: Bus, ...types: readonly EventType[]): WeirEvent[] {
  const heard: WeirEvent[] = []
  const note = (event: WeirEvent) => void heard.push(event)
  bus.subscribe('the test', Object.fromEntries(types.map((type) => [type, note])))
  return heard
}
