import type { Bus, Handlers, Origin, Subscription } from '../bus/bus.ts'
import type { EventOf, WeirEvent } from '../bus/events.ts'
import type { PlainType, Relay, RelayMessage } from './relay.ts'

/**
 * Events that only pages need are batched for this long, in milliseconds, and each type is sent once: a message to a
 * thousand channels is a thousand deliveries. The batch is bounded by the number of types.
 */
const GATHER_MS = 100

/** An event that is relayed. */
type CarriedType = Exclude<RelayMessage['type'], `process.${string}`>

/**
 * How each event is relayed: as it is, batched, or as `seq` ranges. A process with subscribers of a stream reads the
 * entries itself, so that the database stays the single source of truth. Events that aren't listed stay in their
 * process.
 */
const CARRIED: Readonly<Record<CarriedType, 'as it is' | 'gathered' | 'numbers'>> = {
  'entries.stored': 'numbers',
  'stream.updated': 'as it is',
  'list.changed': 'as it is',
  'run.started': 'as it is',
  'run.interrupt': 'as it is',
  'job.enqueued': 'as it is',
  'key.updated': 'as it is',
  'session.ended': 'as it is',
  'channel.updated': 'gathered',
  'incident.updated': 'gathered',
  'silence.updated': 'gathered',
  'rule.updated': 'gathered',
}

/**
 * Relays events between the processes of one Weir. Local events are sent to the others; events from others are
 * published here with the origin `elsewhere`, so they are never sent back. Batched events are flushed on close.
 */
export function carryEvents(bus: Bus, relay: Relay): Subscription {
  const gathered = new Gathered(relay)
  const send = (event: WeirEvent, origin: Origin) => {
    if (origin === 'elsewhere') return
    const how = CARRIED[event.type as CarriedType]
    if (how === 'gathered') gathered.add(event.type as PlainType)
    else if (how === 'as it is') relay.publish(event as RelayMessage)
    else sendNumbers(relay, event as EventOf<'entries.stored'>)
  }
  const handlers: Handlers = Object.fromEntries(Object.keys(CARRIED).map((type) => [type, send]))
  const subscription = bus.subscribe('The relay', handlers)
  relay.listen({
    received(message) {
      // A newer version may send types that this one doesn't know.
      if (Object.hasOwn(CARRIED, message.type)) bus.publish(message as EventOf<CarriedType>, 'elsewhere')
    },
    restored: () => bus.publish({ type: 'relay.restored' }),
  })
  return {
    end() {
      subscription.end()
      gathered.send()
    },
  }
}

function sendNumbers(relay: Relay, { entries = [] }: EventOf<'entries.stored'>): void {
  // No other process is listening.
  if (!relay.isHeard()) return
  const spans = new Map<string, [id: string, first: number, last: number]>()
  for (const { streamId, seq } of entries) {
    const span = spans.get(streamId)
    if (span === undefined) spans.set(streamId, [streamId, seq, seq])
    else span[2] = seq
  }
  if (spans.size > 0) relay.publish({ type: 'entries.stored', spans: [...spans.values()] })
}

/** Events waiting to be sent, each type once. */
class Gathered {
  readonly #relay: Relay
  readonly #types = new Set<PlainType>()
  #timer: Timer | undefined

  constructor(relay: Relay) {
    this.#relay = relay
  }

  add(type: PlainType): void {
    this.#types.add(type)
    this.#timer ??= setTimeout(() => this.send(), GATHER_MS)
  }

  /** Sends the waiting events now. */
  send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const type of this.#types) this.#relay.publish({ type })
    this.#types.clear()
  }
}
