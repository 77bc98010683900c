import { type Fault, suggestion, wrong } from './fields.ts'
import type { CallSpec, Graph, ServiceSpec } from './graph.ts'

/** Sentences about one file; the rest is counted. */
export const MAX_FAULTS = 50
/** Pairs of services of which one calls the other: what Weir's topology has room for. */
export const MAX_PAIRS = 2_000
/** Calls that one activation may cause when every call is made and fails as often as it may. */
export const MAX_CAUSED_CALLS = 10_000

/** Checks what no field shows by itself; the services, whoever is called before its callers. */
export function checkGraph({ services, traffic }: Graph, faults: Fault[]): ServiceSpec[] {
  const byName = new Map(services.map((service) => [service.name, service]))
  checkNames(services, faults)
  checkPorts(services, faults)
  checkCalls(services, byName, faults)
  for (const [at, { entry }] of traffic.entries()) {
    if (entry !== '' && !byName.has(entry)) wrong(faults, `traffic[${at}].to`, noSuch(entry, byName))
  }
  const { ordered, circles } = order(services, byName)
  for (const circle of circles) {
    wrong(faults, pathOf(services, circle[0]), `calls go in a circle: ${circle.join(' → ')}`)
  }
  if (circles.length === 0) checkCaused(ordered, services, faults)
  return ordered
}

function checkNames(services: ServiceSpec[], faults: Fault[]): void {
  for (const [at, { name }] of services.entries()) {
    const first = services.findIndex((other) => other.name === name)
    if (name !== '' && first < at) {
      wrong(faults, `services[${at}].name`, `"${name}" is the name of services[${first}] already`)
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
        `${port} of ${host} is the port of services[${first}] ("${holder}") already`,
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
  if (pairs > MAX_PAIRS) {
    wrong(faults, 'services', `${pairs} pairs of services call each other; at most ${MAX_PAIRS} may`)
  }
}

function noSuch(name: string, byName: Map<string, ServiceSpec>): string {
  return `there is no service "${name}"${suggestion(name, [...byName.keys()])}`
}

/** Whoever is called before its callers; calls that go in a circle are told, each from where it was entered. */
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

/** Adds up along the calls: a few layers that each call the next some times over are more than any machine has. */
function checkCaused(ordered: ServiceSpec[], services: ServiceSpec[], faults: Fault[]): void {
  const caused = new Map<string, number>()
  for (const { name, lab } of ordered) {
    const of = ({ service, retries }: CallSpec) => (1 + retries) * (1 + (caused.get(service) ?? 0))
    const sum = (lab?.steps ?? []).flat().reduce((total, call) => total + of(call), 0)
    caused.set(name, sum)
    if (sum <= MAX_CAUSED_CALLS) continue
    const most = `one activation may cause ${sum} calls, retries among them; at most ${MAX_CAUSED_CALLS} are allowed`
    wrong(faults, pathOf(services, name), most)
    return
  }
}

function pathOf(services: ServiceSpec[], name: string | undefined): string {
  return `services[${services.findIndex((service) => service.name === name)}]`
}
