import type { FaultHolder } from '../faults/faults.ts'
import type { ServiceSpec } from '../graph/graph.ts'
import { always } from '../graph/quantiles.ts'
import { drawStatus, LEAF_ERROR_CODES, type Random, randomFor } from '../random.ts'
import type { Reporter } from '../weir/reporter.ts'
import { untilClosed, type World } from '../world.ts'
import { type Activate, activation, leaf, type MakeCall, node, SETTLE_MS, WHITE } from './activation.ts'
import { Behaviour, failing } from './behaviour.ts'
import { callService } from './downstream.ts'
import { labService } from './lab-service.ts'
import type { ServiceState } from './state.ts'

export interface WorkParts {
  /** Whom it calls are addresses. */
  spec: ServiceSpec
  seed: number
  faults: FaultHolder
  state: ServiceState
  reporter: Reporter
  world: World
  closing: AbortSignal
}

/** What a service does when it is activated. */
export function workOf(parts: WorkParts): Activate {
  return parts.spec.lab === undefined ? sampleWork(parts) : labWork(parts)
}

/** As the services of the sample graph work: all that one of them draws comes from one generator. */
function sampleWork(parts: WorkParts): Activate {
  const { spec, seed, faults, world } = parts
  const { name, timeoutMs, services: addresses } = spec
  const random = randomFor(seed, name)
  const isLeaf = addresses.length === 0
  const behaviour = new Behaviour(
    isLeaf
      ? { latencyMs: always(timeoutMs), failure: leafFailure, errorCodes: LEAF_ERROR_CODES }
      : { failure: () => undefined },
    faults,
  )
  const options = { behaviour, ...surroundings(parts) }
  const work = isLeaf ? leaf(options) : node({ ...options, addresses, call: caller(parts, timeoutMs) })
  return activation(work, { name, behaviour, now: () => world.now(), random: () => random })
}

/** What the n-th activation draws follows from the seed, the name and n: those under way don't mix their draws. */
function labWork(parts: WorkParts): Activate {
  const { spec, seed, faults, state, reporter, world, closing } = parts
  const { name, lab } = spec
  if (lab === undefined) throw new Error('no laboratory service')
  const { steps, latencyMs, errorRate, errorCodes, rateLimit, payloadBytes } = lab
  const behaviour = new Behaviour(
    {
      latencyMs,
      failure: failing(errorRate, errorCodes),
      errorCodes,
      payloadBytes,
      ...(rateLimit === undefined ? {} : { rateLimit }),
    },
    faults,
  )
  let settling = false
  const settle = () => {
    if (settling) return
    settling = true
    void untilClosed(closing, async () => {
      await world.sleep(SETTLE_MS, closing)
      settling = false
      if (state.inFlight === 0) reporter.show(WHITE)
      else settle()
    })
  }
  const call = ({ timeoutMs }: { timeoutMs: number }) => caller(parts, timeoutMs)
  const work = labService({ steps, call, behaviour, settle, ...surroundings(parts) })
  let activations = 0
  const random = () => randomFor(seed, `${name} #${++activations}`)
  return activation(work, { name, behaviour, now: () => world.now(), random })
}

function leafFailure(random: Random): number | undefined {
  const status = drawStatus(random)
  return status === 200 ? undefined : status
}

function surroundings({ reporter, world, closing }: WorkParts) {
  return {
    show: (color: string) => reporter.show(color),
    sleep: async (ms: number) => {
      if (ms > 0) await world.sleep(ms, closing)
    },
  }
}

/** Calls others, and tells of each call whoever counts them. */
function caller({ state, reporter, world, closing }: WorkParts, timeoutMs: number): MakeCall {
  return async (address, body, trace, attempt = 1) => {
    const made = trace.begin(reporter.nameOf(address))
    if (attempt > 1) made.attempt = attempt
    const outcome = await callService(address, body, { world, timeoutMs, closing })
    Object.assign(made, outcome, { durationMs: trace.elapsedMs() - made.startedMs })
    state.called(address, outcome.status)
    reporter.called(address, outcome.status, made.durationMs)
    return outcome.status
  }
}
