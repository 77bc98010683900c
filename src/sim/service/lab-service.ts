import type { CallSpec } from '../graph/graph.ts'
import type { Random } from '../random.ts'
import { BAD, FAILED_ITSELF, GOOD, type MakeCall, SERVICES_FAILED, type Work } from './activation.ts'
import type { Behaviour } from './behaviour.ts'
import type { Trace } from './call-tree.ts'

const OK_STATUS = 200
const SERVICES_FAILED_STATUS = 500

export interface LabServiceOptions {
  /** One after another; their `service` is an address. */
  steps: CallSpec[][]
  call: (spec: CallSpec) => MakeCall
  behaviour: Behaviour
  /** Tells the web program the service's colour; never waits, never fails. */
  show: (color: string) => void
  /** Lets the service turn white once it is idle again. */
  settle: () => void
  sleep: (ms: number) => Promise<void>
}

interface Visit {
  body: string
  trace: Trace
  random: Random
  /** By address: the last status that a call there came to. */
  responses: Record<string, number>
}

/** A service of a graph file: it does its own work, then its calls, and fails at the first that it can't do without. */
export function labService({ steps, call, behaviour, show, settle, sleep }: LabServiceOptions): Work {
  return async ({ color, body }, trace, random) => {
    show(color)
    await sleep(behaviour.latencyMs(random))
    const failure = behaviour.failure(random)
    const responses: Record<string, number> = {}
    const good = failure === undefined && (await walk({ body, trace, random, responses }))
    show(good ? GOOD : BAD)
    settle()
    if (failure !== undefined) return { status: failure, error: FAILED_ITSELF }
    if (good) return { status: OK_STATUS, body: { responses } }
    return { status: SERVICES_FAILED_STATUS, body: { responses }, error: SERVICES_FAILED }
  }

  /** Whether all steps went well. */
  async function walk(visit: Visit): Promise<boolean> {
    for (const step of steps) {
      // Drawn before any call of the step is made: the order in which answers come must not change what is drawn.
      const made = step.filter(({ probability }) => visit.random() < probability)
      const outcomes = await Promise.all(made.map((spec) => tryCall(spec, visit)))
      if (outcomes.includes(false)) return false
    }
    return true
  }

  async function tryCall(spec: CallSpec, { body, trace, responses }: Visit): Promise<boolean> {
    const make = call(spec)
    let backoffMs = spec.backoffMs
    for (let attempt = 1; ; attempt++) {
      const status = await make(spec.service, body, trace, attempt)
      responses[spec.service] = status
      if (status < 400) return true
      if (attempt > spec.retries) return spec.optional
      await sleep(backoffMs)
      backoffMs *= 2
    }
  }
}
