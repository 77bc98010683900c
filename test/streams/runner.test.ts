import { afterEach, beforeEach, expect, test } from 'bun:test'
import type { Run } from '../../src/streams/ingest/run.ts'
import type { Beginning, Ending } from '../../src/streams/ingest/run-store.ts'
import { Runner } from '../../src/streams/ingest/runner.ts'
import type { UpstreamFetch } from '../../src/streams/ingest/upstream.ts'
import type { Recorder } from '../../src/streams/recording/recorder.ts'
import { testBus } from '../support/bus.ts'
import { settle } from '../support/clock.ts'
import { followDeps, newRun } from '../support/run.ts'
import { until } from '../support/until.ts'

/** An upstream that never answers. */
const SILENT: UpstreamFetch = (_url, { signal }) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))

let bus: ReturnType<typeof testBus>
let runner: Runner
let begun: Beginning[]
let ended: Ending[]
/** What happened, in order. */
let steps: string[]
/** How many more runs a stream is given. */
let runsLeft: number
let outdated: (runs: readonly Run[]) => Promise<Run[]>
let current: Run[]

beforeEach(() => {
  bus = testBus()
  begun = []
  ended = []
  steps = []
  current = []
  runsLeft = Number.POSITIVE_INFINITY
  outdated = async () => []
  const recorder = {
    append: () => true,
    durable: async () => {},
    touch: () => {},
    settle: async () => void steps.push('settled'),
  } as unknown as Recorder
  runner = new Runner({
    ...followDeps(SILENT),
    bus,
    recorder,
    warn: (message) => expect(message).toBe(''),
    runs: {
      async begin(beginning) {
        begun.push(beginning)
        if (runsLeft-- <= 0) return undefined
        const run = newRun({ id: beginning.streamId }, { epoch: begun.length })
        current.push(run)
        return run
      },
      async end(ending) {
        steps.push('ended')
        ended.push(ending)
      },
      outdated: (runs) => outdated(runs),
    },
  })
})

afterEach(() => {
  runner.close()
})

const grant = () => new AbortController()

test('a stream is held until its job’s grant ends, and another worker continues it', async () => {
  const granted = grant()
  const held = runner.hold('s', 3, granted.signal)
  await settle()
  expect([runner.size, runner.holds('s')]).toEqual([1, true])
  granted.abort()
  expect(await held).toBe('released')
  expect(begun).toEqual([{ streamId: 's', attempt: 3, takeOver: true }])
  expect(ended.map(({ reason }) => reason)).toEqual(['released'])
  expect(runner.size).toBe(0)
})

test('what a run still has is stored before it ends', async () => {
  const granted = grant()
  const held = runner.hold('s', 1, granted.signal)
  await settle()
  granted.abort()
  await held
  expect(steps).toEqual(['settled', 'ended'])
})

test('only the first run of a job takes a stream over; later ones give way to another worker', async () => {
  runsLeft = 1
  const held = runner.hold('s', 1, grant().signal)
  await settle()
  bus.publish({ type: 'run.interrupt', streamIds: ['s'] })
  expect(await held).toBe('finished')
  expect(begun.map(({ takeOver }) => takeOver)).toEqual([true, false])
  expect(ended.map(({ reason }) => reason)).toEqual(['changed'])
})

test('a stream that should no longer run is interrupted, and others go on', async () => {
  runsLeft = 2
  const stopped = runner.hold('s', 1, grant().signal)
  const other = runner.hold('t', 1, grant().signal)
  await settle()
  bus.publish({ type: 'run.unwanted', streamIds: ['s'] })
  expect(await stopped).toBe('finished')
  expect(runner.holds('t')).toBe(true)
  runner.close()
  expect(await other).toBe('released')
})

test('a run of another process ends the one here, unless it is the older one', async () => {
  const held = runner.hold('s', 1, grant().signal)
  await settle()
  const [run] = current as [Run]
  bus.publish({ type: 'run.started', runs: [['s', run.epoch]] }, 'elsewhere')
  expect(run.fenced.signal.aborted).toBe(false)
  runsLeft = 0
  bus.publish({ type: 'run.started', runs: [['s', run.epoch + 1]] }, 'elsewhere')
  expect(run.fenced.signal.aborted).toBe(true)
  expect(await held).toBe('finished')
  expect(ended.map(({ reason }) => reason)).toEqual(['replaced'])
})

test('runs that start here fence nothing', async () => {
  void runner.hold('s', 1, grant().signal)
  await settle()
  bus.publish({ type: 'run.started', runs: [['s', 99]] })
  expect(current[0]?.fenced.signal.aborted).toBe(false)
})

test('after lost messages, runs are compared with the database, again if more were lost meanwhile', async () => {
  runsLeft = 1
  const held = runner.hold('s', 1, grant().signal)
  await settle()
  const answers = [Promise.withResolvers<Run[]>(), Promise.withResolvers<Run[]>()]
  const asked: (readonly Run[])[] = []
  outdated = (runs) => {
    asked.push(runs)
    return answers[asked.length - 1]?.promise ?? Promise.resolve([])
  }
  bus.publish({ type: 'relay.restored' })
  bus.publish({ type: 'relay.restored' })
  await settle()
  expect(asked).toEqual([current])
  answers[0]?.resolve([])
  await settle()
  expect(asked.length).toBe(2)
  answers[1]?.resolve([...current])
  expect(await held).toBe('finished')
})

test('a run that was replaced during that check is left alone', async () => {
  const held = runner.hold('s', 1, grant().signal)
  await settle()
  const [old] = current as [Run]
  const answer = Promise.withResolvers<Run[]>()
  outdated = () => answer.promise
  bus.publish({ type: 'relay.restored' })
  runner.interrupt('s')
  await until('the next run has begun', () => current.length === 2)
  await settle()
  answer.resolve([old])
  await settle()
  expect(begun.length).toBe(2)
  runner.close()
  expect(await held).toBe('released')
})

test('a job that comes back continues the run, and only its own end counts from then on', async () => {
  const [first, second] = [grant(), grant()]
  const held = runner.hold('s', 1, first.signal)
  await settle()
  const again = runner.hold('s', 2, second.signal)
  first.abort()
  await settle()
  expect([runner.holds('s'), begun.length]).toEqual([true, 1])
  second.abort()
  expect(await Promise.all([held, again])).toEqual(['released', 'released'])
})

test('a grant that ended already releases the stream', async () => {
  const granted = grant()
  granted.abort()
  expect(await runner.hold('s', 1, granted.signal)).toBe('released')
})

test('a few streams are released to others, the first ones', async () => {
  const held = ['a', 'b', 'c'].map((id) => runner.hold(id, 1, grant().signal))
  await settle()
  runner.release(2)
  expect(await Promise.all(held.slice(0, 2))).toEqual(['released', 'released'])
  expect(runner.holds('c')).toBe(true)
})

test('a worker that is closing releases every stream, and takes none again', async () => {
  const held = runner.hold('s', 1, grant().signal)
  await settle()
  runner.close()
  expect(await held).toBe('released')
  expect(await runner.hold('s', 2, grant().signal)).toBe('released')
  bus.publish({ type: 'relay.restored' })
  await settle()
  expect(begun.length).toBe(1)
})
