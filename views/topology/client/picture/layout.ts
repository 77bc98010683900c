// Where nodes and edges go: ELK's layered layout in a worker, so that the page answers meanwhile.
import { layersOf } from './layers.ts'

const WORKER = new URL('../../../../elk-worker.js', import.meta.url).href
/** A layout that takes longer is ended, in milliseconds. */
const LAYOUT_MS = 20_000
/** Up to this many edges get room for their numbers, of this size in pixels; more would only blow the picture up. */
const MAX_ROOMY_LINES = 80
const NUMBERS_WIDTH = 96
const NUMBERS_HEIGHT = 32
/**
 * Above this many, edges get no way of their own around the nodes but pass behind them as curves: with ways, 300
 * nodes and 1,000 edges are a picture of 5,700 × 9,400 pixels, in which nothing can be read.
 */
const MAX_ROUTED_LINES = 200
const ROUTED = {
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.considerModelOrder.strategy': 'PREFER_NODES',
  'elk.spacing.componentComponent': '40',
  'elk.spacing.nodeNode': '36',
  'elk.layered.spacing.nodeNodeBetweenLayers': '56',
  'elk.spacing.edgeNode': '18',
  'elk.spacing.edgeEdge': '12',
}
const CURVED = {
  'elk.edgeRouting': 'POLYLINE',
  'elk.partitioning.activate': 'true',
  'elk.separateConnectedComponents': 'false',
  'elk.spacing.nodeNode': '20',
  'elk.layered.spacing.nodeNodeBetweenLayers': '110',
}

export interface Point {
  x: number
  y: number
}

export interface Size {
  width: number
  height: number
}

/** A directed edge between two boxes, by their places in the list. */
export interface Line {
  from: number
  to: number
}

/** Where calls go: to the right, or downwards where the picture is higher than wide. */
export type Direction = 'RIGHT' | 'DOWN'

/** The layout, in pixels from its upper left corner; boxes and lines in the order they were given. */
export interface Placement extends Size {
  /** Their centres. */
  boxes: Point[]
  sizes: Size[]
  lines: Point[][]
  /** Whether lines are to be drawn as curves; otherwise they have corners. */
  isCurved: boolean
  /** Centres of the lines' numbers. */
  numbers: Point[]
}

interface ElkAnswer extends Size {
  children: (Point & Size)[]
  edges: {
    sections?: { startPoint: Point; endPoint: Point; bendPoints?: Point[] }[]
    labels?: (Point & Size)[]
  }[]
}

/** One layout at a time. Its worker lives from the first layout until one hangs. */
export class Layout {
  #worker: Worker | undefined
  #questions = 0

  /** Loads the worker, so that the first layout needn't wait for it. */
  prepare(): void {
    this.#worker ??= startWorker()
  }

  /** Throws when the worker can't be loaded or takes too long; the next layout then starts another. */
  async place(boxes: readonly Size[], lines: readonly Line[], direction: Direction): Promise<Placement> {
    try {
      if (lines.length <= MAX_ROUTED_LINES)
        return routed(await this.#ask(routedGraph(boxes, lines, direction)), lines)
      return curved(await this.#ask(curvedGraph(boxes, lines, direction)), lines, direction)
    } catch (error) {
      this.#worker?.terminate()
      this.#worker = undefined
      throw error
    }
  }

  #ask(graph: object): Promise<ElkAnswer> {
    this.prepare()
    const worker = this.#worker as Worker
    const id = ++this.#questions
    const listening = new AbortController()
    const asked = Promise.withResolvers<ElkAnswer>()
    const timer = setTimeout(
      () => asked.reject(new Error(`its layout takes longer than ${LAYOUT_MS / 1000} s.`)),
      LAYOUT_MS,
    )
    worker.addEventListener(
      'message',
      ({ data }) => {
        if (data.id !== id) return
        if (data.error) asked.reject(new Error(String(data.error.text ?? data.error.message ?? data.error)))
        else asked.resolve(data.data)
      },
      listening,
    )
    const fail = () => asked.reject(new Error('its layout broke off.'))
    worker.addEventListener('error', fail, listening)
    worker.postMessage({ id, cmd: 'layout', graph, layoutOptions: {}, options: {} })
    return asked.promise.finally(() => {
      clearTimeout(timer)
      listening.abort()
    })
  }
}

/** ELK's own worker script, spoken to as its `elk-api.js` does. */
function startWorker(): Worker {
  const worker = new Worker(WORKER)
  worker.postMessage({ id: 'register', cmd: 'register', algorithms: ['layered'] })
  return worker
}

function routedGraph(boxes: readonly Size[], lines: readonly Line[], direction: Direction): object {
  const label = {
    text: '0',
    width: NUMBERS_WIDTH,
    height: NUMBERS_HEIGHT,
    layoutOptions: { 'elk.edgeLabels.inline': 'true' },
  }
  const labels = lines.length > MAX_ROOMY_LINES ? [] : [label]
  return {
    id: 'root',
    layoutOptions: { ...ROUTED, 'elk.algorithm': 'layered', 'elk.direction': direction },
    children: boxes.map(({ width, height }, at) => ({ id: `n${at}`, width, height })),
    edges: lines.map((line, at) => ({ ...edgeOf(line, at), labels: structuredClone(labels) })),
  }
}

/** ELK puts columns in order by the edges between neighbours; longer ones would make it keep ways free. */
function curvedGraph(boxes: readonly Size[], lines: readonly Line[], direction: Direction): object {
  const layers = layersOf(boxes.length, lines)
  const layerOf = (at: number) => layers[at] ?? 0
  return {
    id: 'root',
    layoutOptions: { ...CURVED, 'elk.algorithm': 'layered', 'elk.direction': direction },
    children: boxes.map(({ width, height }, at) => ({
      id: `n${at}`,
      width,
      height,
      layoutOptions: { 'elk.partitioning.partition': String(layerOf(at)) },
    })),
    edges: lines.filter(({ from, to }) => layerOf(to) === layerOf(from) + 1).map(edgeOf),
  }
}

function edgeOf({ from, to }: Line, at: number): object {
  return { id: `e${at}`, sources: [`n${from}`], targets: [`n${to}`] }
}

function routed({ width, height, children, edges }: ElkAnswer, lines: readonly Line[]): Placement {
  const boxes = children.map(centreOf)
  const drawn = edges.map(({ sections: [section] = [] }, at) => {
    if (section !== undefined) return [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]
    const { from = 0, to = 0 } = lines[at] ?? {}
    return [boxes[from], boxes[to]].filter((point) => point !== undefined)
  })
  const numbers = edges.map(({ labels: [label] = [] }, at) =>
    label === undefined ? middleOf(drawn[at] ?? []) : centreOf(label),
  )
  return { width, height, boxes, sizes: children.map(sizeOf), lines: drawn, isCurved: false, numbers }
}

function curved(
  { width, height, children }: ElkAnswer,
  lines: readonly Line[],
  direction: Direction,
): Placement {
  const drawn = lines.map(({ from, to }) => {
    const [start, end] = [children[from], children[to]]
    return start && end ? curve(start, end, direction) : []
  })
  const numbers = drawn.map((points) => {
    const [start = { x: 0, y: 0 }, end = start] = [points[0], points.at(-1)]
    return { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }
  })
  const boxes = children.map(centreOf)
  return { width, height, boxes, sizes: children.map(sizeOf), lines: drawn, isCurved: true, numbers }
}

/** From the side of one box to the facing side of another; from one to itself, around its corner. */
function curve(start: Point & Size, end: Point & Size, direction: Direction): Point[] {
  const [from, to] = [centreOf(start), centreOf(end)]
  const [right, bottom] = [start.width / 2, start.height / 2]
  if (start === end) {
    const corner = { x: from.x + right + 24, y: from.y + bottom + 24 }
    return [{ x: from.x + right, y: from.y }, corner, { x: from.x, y: from.y + bottom }]
  }
  if (direction === 'DOWN') {
    const sign = to.y >= from.y ? 1 : -1
    return [
      { x: from.x, y: from.y + sign * bottom },
      { x: to.x, y: to.y - (sign * end.height) / 2 },
    ]
  }
  const sign = to.x >= from.x ? 1 : -1
  return [
    { x: from.x + sign * right, y: from.y },
    { x: to.x - (sign * end.width) / 2, y: to.y },
  ]
}

function centreOf({ x, y, width, height }: Point & Size): Point {
  return { x: x + width / 2, y: y + height / 2 }
}

function sizeOf({ width, height }: Size): Size {
  return { width, height }
}

/** The middle of the longest of a line's level pieces, else of its longest piece: there is room for text. */
function middleOf(points: readonly Point[]): Point {
  const pieces = points.slice(1).map((end, at) => ({ start: points[at] ?? end, end }))
  const roomOf = ({ start, end }: { start: Point; end: Point }) =>
    Math.abs(end.x - start.x) + Math.abs(end.y - start.y) / 100
  const longest = pieces.reduce<(typeof pieces)[number] | undefined>(
    (a, b) => (a === undefined || roomOf(b) > roomOf(a) ? b : a),
    undefined,
  )
  if (longest === undefined) return points[0] ?? { x: 0, y: 0 }
  const { start, end } = longest
  return { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }
}
