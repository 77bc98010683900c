import type { ChosenGraph } from '../args.ts'
import SHOP_FILE from '../graphs/shop.yaml' with { type: 'file' }
import type { Traffic } from './graph.ts'
import { type GraphOrProblems, graphFrom, MAX_FILE_BYTES, readGraph } from './graph-file.ts'
import { MAX_RANDOM_SERVICES, randomGraph } from './random-graph.ts'

/** Reads or makes a graph, or says all that is wrong with it, a sentence each. */
export async function loadGraph(chosen: ChosenGraph, seed: number): Promise<GraphOrProblems> {
  const loaded = await load(chosen, seed)
  const { perMinute } = chosen
  if ('problems' in loaded || perMinute === undefined) return loaded
  const { graph } = loaded
  // The last to start is called by nobody.
  const entry = graph.traffic[0]?.entry ?? graph.services.at(-1)?.name ?? ''
  const traffic: Traffic[] = perMinute === 0 ? [] : [{ entry, perMinute }]
  return { graph: { ...graph, traffic } }
}

async function load({ which, portBase }: ChosenGraph, seed: number): Promise<GraphOrProblems> {
  const size = /^random:(.*)$/.exec(which)?.[1]
  if (size === undefined) return readFile(which === 'shop' ? SHOP_FILE : which, portBase)
  const services = /^\d{1,9}$/.test(size) ? Number(size) : 0
  if (services < 1 || services > MAX_RANDOM_SERVICES) {
    return { problems: [`expected random:N with N from 1 to ${MAX_RANDOM_SERVICES}`] }
  }
  return graphFrom(randomGraph(services, seed), { portBase })
}

async function readFile(path: string | URL, portBase: number | undefined): Promise<GraphOrProblems> {
  const text = await readText(path)
  return 'problems' in text ? text : readGraph(text.yaml, portBase)
}

async function readText(path: string | URL): Promise<{ yaml: string } | { problems: string[] }> {
  try {
    // One byte more than may be is enough to know that it is too many, and a device never ends.
    const bytes = await Bun.file(path)
      .slice(0, MAX_FILE_BYTES + 1)
      .bytes()
    return { yaml: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { problems: [`the file can't be read: ${why}`] }
  }
}
