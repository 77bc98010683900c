import type { FaultHolder } from '../faults/faults.ts'
import type { ServiceSpec } from '../graph/graph.ts'
import { always } from '../graph/quantiles.ts'
import { drawStatus, LEAF_ERROR_CODES, type Random, randomFor } from '../random.ts'
import type { Reporter } from '../weir/reporter.ts'
import { type SimWorld, untilClosed } from '../world.ts'
import { type Activate, activation, leaf, type MakeCall, node, SETTLE_MS, WHITE } from './activation.ts'
import { Behavior, failing } from './behavior.ts'
import { callService } from './downstream.ts'
import { labService } from './lab-service.ts'
import type { ServiceState } from './state.ts'

export interface WorkParts {
  /** The services it calls are addresses. */
  spec: ServiceSpec
  seed: number
  faults: FaultHolder
  state: ServiceState
  reporter: Reporter
  world: SimWorld
  closing: AbortSignal
}

/** What a service does when it is activated. */
export function workOf(parts: WorkParts): Activate {
  return parts.spec.lab === undefined ? sampleWork(parts) : labWork(parts)
}

/** Services of the sample graph: all random numbers of one service come from one generator. */
function sampleWork(parts: WorkParts): Activate {
  const { spec, seed, faults, world } = parts
  const { name, timeoutMs, services: addresses } = spec
  const random = randomFor(seed, name)
  const isLeaf = addresses.length === 0
  const behavior = new Behavior(
    isLeaf
      ? { latencyMs: always(timeoutMs), failure: leafFailure, errorCodes: LEAF_ERROR_CODES }
      : { failure: () => undefined },
    faults,
  )
  const options = { behavior, ...surroundings(parts) }
  const work = isLeaf ? leaf(options) : node({ ...options, addresses, call: caller(parts, timeoutMs) })
  return activation(work, { name, behavior, now: () => world.now(), random: () => random })
}

/** The random numbers of the n-th activation depend on the seed, the name and n: concurrent ones don't interfere. */
function labWork(parts: WorkParts): Activate {
  const { spec, seed, faults, state, reporter, world, closing } = parts
  const { name, lab } = spec
  if (lab === undefined) throw new Error('no laboratory service')
  const { steps, latencyMs, errorRate, errorCodes, rateLimit, payloadBytes } = lab
  const behavior = new Behavior(
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
  const work = labService({ steps, call, behavior, settle, ...surroundings(parts) })
  let activations = 0
  const random = () => randomFor(seed, `${name} #${++activations}`)
  return activation(work, { name, behavior, now: () => world.now(), random })
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

/** Makes calls and reports each of them. */
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
