import { type Fault, suggestion, wrong } from './fields.ts'
import type { CallSpec, ServiceSpec, SimGraph } from './graph.ts'

/** Errors reported for one file; the rest is counted. */
export const MAX_FAULTS = 50
/** Pairs of caller and callee: the limit of Weir's topology. */
export const MAX_CALL_PAIRS = 2_000
/** Calls that one activation may cause if every call is made and fails as often as possible. */
export const MAX_CAUSED_CALLS = 10_000

/**
 * Checks everything that involves several fields.
 * @returns the services, callees before callers
 */
export function checkGraph({ services, traffic }: SimGraph, faults: Fault[]): ServiceSpec[] {
  const byName = new Map(services.map((service) => [service.name, service]))
  checkNames(services, faults)
  checkPorts(services, faults)
  checkCalls(services, byName, faults)
  for (const [at, { entry }] of traffic.entries()) {
    if (entry !== '' && !byName.has(entry)) wrong(faults, `traffic[${at}].to`, noSuch(entry, byName))
  }
  const { ordered, circles } = order(services, byName)
  for (const circle of circles) {
    wrong(faults, pathOf(services, circle[0]), `calls form a cycle: ${circle.join(' → ')}`)
  }
  if (circles.length === 0) checkCaused(ordered, services, faults)
  return ordered
}

function checkNames(services: ServiceSpec[], faults: Fault[]): void {
  for (const [at, { name }] of services.entries()) {
    const first = services.findIndex((other) => other.name === name)
    if (name !== '' && first < at) {
      wrong(faults, `services[${at}].name`, `"${name}" is already the name of services[${first}]`)
    }
  }
}

function checkPorts(services: ServiceSpec[], faults: Fault[]): void {
  for (const [at, { host, port }] of services.entries()) {
    if (port === 0) continue
    const first = services.findIndex((other) => other.port === port && other.host === host)
    if (first < at) {
      const holder = services[first]?.name
      wrong(
        faults,
        `services[${at}].port`,
        `${port} of ${host} is already the port of services[${first}] ("${holder}")`,
      )
    }
  }
}

function checkCalls(services: ServiceSpec[], byName: Map<string, ServiceSpec>, faults: Fault[]): void {
  let pairs = 0
  for (const [at, { lab, services: called }] of services.entries()) {
    pairs += called.length
    for (const [position, step] of (lab?.steps ?? []).entries()) {
      for (const { service } of step) {
        if (!byName.has(service)) wrong(faults, `services[${at}].calls[${position}]`, noSuch(service, byName))
      }
    }
  }
  if (pairs > MAX_CALL_PAIRS) {
    wrong(
      faults,
      'services',
      `${pairs} pairs of services call each other; at most ${MAX_CALL_PAIRS} are allowed`,
    )
  }
}

function noSuch(name: string, byName: Map<string, ServiceSpec>): string {
  return `unknown service "${name}"${suggestion(name, [...byName.keys()])}`
}

/** Sorts callees before callers; every cycle is an error that names where it was entered. */
function order(
  services: ServiceSpec[],
  byName: Map<string, ServiceSpec>,
): { ordered: ServiceSpec[]; circles: string[][] } {
  const ordered: ServiceSpec[] = []
  const circles: string[][] = []
  const done = new Set<ServiceSpec>()
  const path: string[] = []
  const visit = (service: ServiceSpec) => {
    if (done.has(service)) return
    path.push(service.name)
    for (const name of service.services) {
      const called = byName.get(name)
      if (called === undefined) continue
      const from = path.indexOf(name)
      if (from >= 0) circles.push([...path.slice(from), name])
      else visit(called)
    }
    path.pop()
    done.add(service)
    ordered.push(service)
  }
  for (const service of services) visit(service)
  return { ordered, circles }
}

/** Counts calls along the graph: a few layers that each call the next several times exceed what any machine can do. */
function checkCaused(ordered: ServiceSpec[], services: ServiceSpec[], faults: Fault[]): void {
  const caused = new Map<string, number>()
  for (const { name, lab } of ordered) {
    const of = ({ service, retries }: CallSpec) => (1 + retries) * (1 + (caused.get(service) ?? 0))
    const sum = (lab?.steps ?? []).flat().reduce((total, call) => total + of(call), 0)
    caused.set(name, sum)
    if (sum <= MAX_CAUSED_CALLS) continue
    const most = `one activation may cause ${sum} calls, including retries; at most ${MAX_CAUSED_CALLS} are allowed`
    wrong(faults, pathOf(services, name), most)
    return
  }
}

function pathOf(services: ServiceSpec[], name: string | undefined): string {
  return `services[${services.findIndex((service) => service.name === name)}]`
}
