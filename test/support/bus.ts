import { Bus } from '../../src/bus/bus.ts'
import type { EventType, WeirEvent } from '../../src/bus/events.ts'

/** A bus on which nobody may fail. */
export function testBus(): Bus {
  return new Bus((message, error) => {
    throw error ?? new Error(message)
  })
}

/** What is published on a bus from now on, of the types that are asked for. */
export function heardOn(bus: Bus, ...types: readonly EventType[]): WeirEvent[] {
  const heard: WeirEvent[] = []
  const note = (event: WeirEvent) => void heard.push(event)
  bus.subscribe('the test', Object.fromEntries(types.map((type) => [type, note])))
  return heard
}
